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
from facereid_nb.infer import write_predictions, write_submission
from facereid_nb.train import ARCFACE, FaceModel, face_learner

ALIGNMENT = Alignment(method='similarity', size=112, select='central')

def arguments(description):
    "A parser with the options that all benchmarks on lfw125 share: where photos and weights are."
    shared = Path(os.environ.get('FACEREID_SHARED', '../shared'))
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--data', type=Path, default=shared/'data'/'lfw125')
    parser.add_argument('--weights', type=Path, default=shared/'weights'/'mobilefacenet.pt')
    return parser

def mobilefacenet(weights, **changes):
    "The ArcFace recipe on MobileFaceNet, from the weights in a file."
    return replace(ARCFACE, backbone='mobilefacenet', weights=str(weights), align=ALIGNMENT, **native_input('mobilefacenet'), **changes)

def align(data, out):
    train = align_faces(read_items(data/'trainset.csv'), out/'crops', ALIGNMENT)
    test = align_faces(read_items(data/'eval_set.csv', data/'test'), out/'crops'/'test', ALIGNMENT)
    return train, test

def enrol(model, items, embeddings):
    "A gallery from embeddings that are there already, as `Gallery.build` would make it."
    gallery = Gallery(model.id, mirror=True)
    for name, rows in items.groupby('gt').indices.items(): gallery.add(name, embeddings[rows], model.id)
    return gallery

def answer(gallery, items, embeddings, threshold=0.):
    cosines, people = gallery.search(embeddings, gallery.model_id)
    best = np.array(gallery.names)[people[:, 0]]
    pred = np.where(cosines[:, 0] >= threshold, best, ARCFACE.unknown)
    return pd.DataFrame(dict(image_path=items.image_path, pred=pred, similarity=cosines[:, 0], best=best))

def right_face_rate(crops, data, model, embeddings):
    "Of the training photos with several faces: in how many is the chosen face the one most like its person's other photos?"
    detector, gallery = face_detector(ALIGNMENT), enrol(model, crops, embeddings)
    several = np.flatnonzero(crops.n_faces > 1)
    right = 0
    for i in several:
        row, photo = crops.iloc[i], open_image(data/crops.image_path[i])
        faces = detect_faces([photo], detector)[0]
        candidates = [warp(photo, similarity_matrix(f.landmarks, ALIGNMENT.size), ALIGNMENT.size) for f in faces]
        person = gallery.names.index(row['gt'])
        others = gallery.sums[person] - embeddings[i]
        right += int((embed(model, candidates, mirror=True) @ others).argmax()) == row.face_index
    return right/len(several), len(several)

def identify(model, split, train, test, embeddings, labels, out, name):
    "Threshold from held-out people, gallery of everybody, answers for `test`; a row for each threshold."
    position = pd.Series(range(len(train)), train.image_path)
    enrolled, probes = [(items, embeddings['train'][position[items.image_path].to_numpy()]) for items in split]
    threshold = best_threshold(answer(enrol(model, *enrolled), *probes), probes[0])
    gallery = enrol(model, train, embeddings['train'])
    rows = []
    for kind, value in (('held out', threshold), ('fixed', 0.80)):
        answers = answer(gallery, test, embeddings['test'], value)
        stem = f'{name}_{kind.replace(" ", "_")}'
        write_predictions(answers, out/f'{stem}_predictions.csv')
        write_submission(answers, out/f'{stem}_submission.csv')
        rows.append({'model': name, 'threshold': f'{value:.3f} ({kind})', **open_set_summary(answers, labels)})
    return rows

def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    parser.add_argument('--epochs', type=int, default=4, help='of the fine-tuning')
    args = parser.parse_args()

    started = time.time()
    train, test = align(args.data, args.out)
    both = pd.concat([train, test])
    print(f'faces found in {(both.status == "aligned").mean():.2%} of {len(both)} photos ({time.time() - started:.0f} s)', flush=True)

    labels = pd.read_csv(args.data/'public_labels.csv')
    recipe = mobilefacenet(args.weights, epochs=args.epochs)
    split = heldout_split(train)
    def embeddings(model): return {name: embed(model, crops.path, mirror=True) for name, crops in (('train', train), ('test', test))}

    pretrained = FaceModel(recipe)
    found = embeddings(pretrained)
    right, several = right_face_rate(train, args.data, pretrained, found['train'])
    print(f'the right face taken in {right:.2%} of {several} training photos with several ({time.time() - started:.0f} s)', flush=True)
    rows = identify(pretrained, split, train, test, found, labels, args.out, 'no_training')
    print(pd.DataFrame(rows).round(4).to_string(index=False), flush=True)

    learn = face_learner(split[0], recipe)
    learn.fit_recipe(args.out/'fine_tuned.safetensors', resume=True)
    rows += identify(learn.model, split, train, test, embeddings(learn.model), labels, args.out, f'arcface_{args.epochs}_epochs')
    table = pd.DataFrame(rows).round(4)
    table.to_csv(args.out/'results.csv', index=False)
    print(table.to_string(index=False), f'\n{time.time() - started:.0f} s in all')

if __name__ == '__main__': main()
