"""Real faces, end to end: align lfw125, name its test photos with MobileFaceNet, without training and fine-tuned with ArcFace.

    python benchmarks/lfw125.py --data DIR --weights mobilefacenet.pt

DIR holds trainset.csv, eval_set.csv, public_labels.csv, train/ and test/. Everything goes to --out; crops that are there are kept.
Thresholds are chosen on training photos alone: a fifth of the people play strangers, and a fifth of the others' photos are searched with.
A model that is fine-tuned is trained on neither.
"""
import argparse, os, time
from dataclasses import replace
from pathlib import Path

import numpy as np, pandas as pd
from facereid_nb.align import Alignment, align_faces, detect_faces, face_detector, similarity_matrix, warp
from facereid_nb.backbones import native_input
from facereid_nb.data import open_image, read_items
from facereid_nb.evaluate import best_threshold, heldout_split, open_set_summary
from facereid_nb.gallery import Gallery, embed
from facereid_nb.infer import Recognizer, write_predictions, write_submission
from facereid_nb.train import ARCFACE, FaceModel, face_learner

ALIGNMENT = Alignment(method='similarity', size=112, select='central')

def align(data, out):
    train = align_faces(read_items(data/'trainset.csv'), out/'crops', ALIGNMENT)
    test = align_faces(read_items(data/'eval_set.csv', data/'test'), out/'crops'/'test', ALIGNMENT)
    return train, test

def right_face_rate(crops, data, model):
    "Of the training photos with several faces: in how many is the chosen face the one most like its person's other photos?"
    detector, gallery = face_detector(ALIGNMENT), Gallery.build(model, crops, mirror=True)
    embeddings = embed(model, crops.path, mirror=True)
    several = np.flatnonzero(crops.n_faces > 1)
    right = 0
    for i in several:
        row, photo = crops.iloc[i], open_image(data/crops.image_path[i])
        faces = detect_faces([photo], detector)[0]
        candidates = [warp(photo, similarity_matrix(f.landmarks, ALIGNMENT.size), ALIGNMENT.size) for f in faces]
        person = gallery.names.index(row['gt'])
        others = gallery.means[person]*gallery.counts[person] - embeddings[i]
        right += int((embed(model, candidates, mirror=True) @ others).argmax()) == row.face_index
    return right/len(several), len(several)

def identify(model, enrolled, probes, train, test, labels, out, name):
    "Threshold from held-out people, gallery of everybody, answers for `test`; a row for each threshold."
    trial = Recognizer(model, Gallery.build(model, enrolled, mirror=True))
    threshold = best_threshold(trial.predict(probes), probes)
    gallery = Gallery.build(model, train, mirror=True)
    rows = []
    for kind, value in (('held out', threshold), ('fixed', 0.80)):
        answers = Recognizer(model, gallery, value).predict(test)
        stem = f'{name}_{kind.replace(" ", "_")}'
        write_predictions(answers, out/f'{stem}_predictions.csv')
        write_submission(answers, out/f'{stem}_submission.csv')
        rows.append({'model': name, 'threshold': f'{value:.3f} ({kind})', **open_set_summary(answers, labels)})
    return rows

def main():
    shared = Path(os.environ.get('FACEREID_SHARED', '../shared'))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', type=Path, default=shared/'data'/'lfw125')
    parser.add_argument('--weights', type=Path, default=shared/'weights'/'mobilefacenet.pt')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    parser.add_argument('--epochs', type=int, default=4, help='of the fine-tuning')
    args = parser.parse_args()

    started = time.time()
    train, test = align(args.data, args.out)
    both = pd.concat([train, test])
    print(f'faces found in {(both.status == "aligned").mean():.2%} of {len(both)} photos ({time.time() - started:.0f} s)', flush=True)

    labels = pd.read_csv(args.data/'public_labels.csv')
    recipe = replace(ARCFACE, backbone='mobilefacenet', weights=str(args.weights), align=ALIGNMENT, epochs=args.epochs, **native_input('mobilefacenet'))
    enrolled, probes = heldout_split(train)
    pretrained = FaceModel(recipe)
    right, several = right_face_rate(train, args.data, pretrained)
    print(f'the right face taken in {right:.2%} of {several} training photos with several ({time.time() - started:.0f} s)', flush=True)
    rows = identify(pretrained, enrolled, probes, train, test, labels, args.out, 'no training')
    learn = face_learner(enrolled, recipe)
    learn.fit_recipe(args.out/'fine_tuned.safetensors', resume=True)
    rows += identify(learn.model, enrolled, probes, train, test, labels, args.out, f'ArcFace, {args.epochs} epochs')
    table = pd.DataFrame(rows).round(4)
    table.to_csv(args.out/'results.csv', index=False)
    print(table.to_string(index=False), f'\n{time.time() - started:.0f} s in all')

if __name__ == '__main__': main()
