"""Real faces, end to end: align lfw125, name its test photos with MobileFaceNet, without training and fine-tuned with
ArcFace.

    python benchmarks/lfw125.py --data DIR --weights mobilefacenet.pt

DIR holds trainset.csv, eval_set.csv, public_labels.csv, train/ and test/. Everything goes to --out; crops that are
there are kept. Thresholds are chosen on training photos alone: a fifth of the people play strangers, and a fifth of the
others' photos are searched with. A model that is fine-tuned is trained on neither.
"""
import argparse, os, time
from dataclasses import replace
from pathlib import Path

import numpy as np, pandas as pd
from facereid_nb.align import Alignment, align_faces, detect_faces, face_detector, similarity_matrix, warp
from facereid_nb.backbones import native_input
from facereid_nb.data import UNKNOWN, atomic_write, open_image, read_items
from facereid_nb.evaluate import best_threshold, heldout_split, open_set_summary
from facereid_nb.gallery import Gallery, GallerySettings
from facereid_nb.infer import write_predictions, write_submission
from facereid_nb.model import ARCFACE, FaceModel, embed
from facereid_nb.train import face_learner

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
    native = native_input('mobilefacenet')
    return replace(ARCFACE, backbone='mobilefacenet', weights=str(weights), align=ALIGNMENT, **native, **changes)


def enrol(names, embeddings, model_id='', probes=None, weights=None, trained=(), mirror=True, **settings):
    "A gallery from embeddings that are there already, `names` telling whose; `settings` as `GallerySettings` has them."
    gallery = Gallery(model_id, GallerySettings(mirror, **settings), trained)
    gallery.add_photos(names, embeddings, model_id, probes, weights)
    return gallery


def answer(gallery, items, embeddings, threshold=0.):
    "Answers for items whose embeddings are there already, as `Recognizer.predict` gives them."
    scores, people = gallery.search(embeddings, gallery.model_id)
    best = np.array(gallery.names)[people[:, 0]]
    pred = np.where(scores[:, 0] >= threshold, best, UNKNOWN)
    return pd.DataFrame(dict(image_path=items.image_path, pred=pred, similarity=scores[:, 0], best=best))


def rows_of(part, items):
    "The rows of `items` that a part of them came from, in its order."
    return pd.Index(items.image_path).get_indexer(part.image_path)


def fpir_over_people(scores, people, threshold):
    "FPIR of non-mated searches, every stranger weighing the same."
    return pd.Series(scores >= threshold).groupby(np.asarray(people)).mean().mean()


def aligned(data, out):
    "Crops of the training photos and of the test photos."
    train = align_faces(read_items(data/'trainset.csv'), out/'crops', ALIGNMENT)
    test = align_faces(read_items(data/'eval_set.csv', data/'test'), out/'crops'/'test', ALIGNMENT)
    return train, test


def all_faces(photo, detector):
    "A crop of every face in a photo, in the order in which `align_faces` numbers them."
    faces = detect_faces([photo], detector)[0]
    return [warp(photo, similarity_matrix(f.landmarks, ALIGNMENT.size), ALIGNMENT.size) for f in faces]


def right_face_rate(crops, data, model, embeddings):
    """Fraction of the training photos with several faces in which the chosen face is the one most like its person's
    other photos, and how many such photos there are."""
    detector, gallery, right = face_detector(ALIGNMENT), enrol(crops['gt'], embeddings), []
    for i in np.flatnonzero(crops.n_faces > 1):
        faces = embed(model, all_faces(open_image(data/crops.image_path[i]), detector), mirror=True)
        others = gallery.sums[gallery.names.index(crops['gt'][i])] - embeddings[i]
        right.append(int((faces @ others).argmax()) == crops.face_index[i])
    return np.mean(right), len(right)


def heldout_threshold(split, train, embeddings):
    "The threshold that is most accurate for a split of the training photos."
    (enrolled, ours), (probes, theirs) = ((part, embeddings[rows_of(part, train)]) for part in split)
    return best_threshold(answer(enrol(enrolled['gt'], ours), probes, theirs), probes)


def identify(embeddings, split, train, test, labels, out, name):
    "Threshold from held-out people, gallery of everybody, answers for `test` in files; a row for each threshold."
    enrolled, searched = embeddings
    gallery, rows = enrol(train['gt'], enrolled), []
    for kind, threshold in (('held out', heldout_threshold(split, train, enrolled)), ('fixed', 0.80)):
        answers = answer(gallery, test, searched, threshold)
        stem = f'{name}_{kind.replace(" ", "_")}'
        write_predictions(answers, out/f'{stem}_predictions.csv')
        write_submission(answers, out/f'{stem}_submission.csv')
        summary = open_set_summary(answers, labels)
        rows.append({'model': name, 'threshold': f'{threshold:.3f} ({kind})', **summary})
    return rows


def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    parser.add_argument('--epochs', type=int, default=4, help='of the fine-tuning')
    args = parser.parse_args()

    started = time.time()
    def say(what): print(f'{what} ({time.time() - started:.0f} s)', flush=True)
    train, test = aligned(args.data, args.out)
    both = pd.concat([train, test])
    say(f'faces found in {(both.status == "aligned").mean():.2%} of {len(both)} photos')

    recipe, split = mobilefacenet(args.weights, epochs=args.epochs), heldout_split(train)
    def embeddings(model): return [embed(model, crops.path, mirror=True) for crops in (train, test)]
    known = split, train, test, pd.read_csv(args.data/'public_labels.csv'), args.out
    pretrained = FaceModel(recipe)
    found = embeddings(pretrained)
    right, several = right_face_rate(train, args.data, pretrained, found[0])
    say(f'the right face taken in {right:.2%} of {several} training photos with several')
    rows = identify(found, *known, 'no_training')
    say(pd.DataFrame(rows).round(4).to_string(index=False))

    learn = face_learner(split[0], recipe)
    learn.fit_recipe(args.out/'fine_tuned.safetensors', resume=True)
    table = pd.DataFrame(rows + identify(embeddings(learn.model), *known, f'arcface_{args.epochs}_epochs')).round(4)
    with atomic_write(args.out/'results.csv') as tmp: table.to_csv(tmp, index=False)
    say(table.to_string(index=False))


if __name__ == '__main__': main()
