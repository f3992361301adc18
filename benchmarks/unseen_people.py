"""What a network does for people whom it never saw, with photos as they are and poor in six ways.

    python benchmarks/unseen_people.py --models A.onnx B.onnx A.onnx+B.onnx

Models are saved ones (.safetensors) or networks as they are published (.onnx; .pt for MobileFaceNet's), several joined
by + as an ensemble. Without --models they are those of --weights. The people are those in `others` of whom there are
four photos; keep all of these from training (`trial_people`). In each of six draws a third of them are strangers,
searched with all of their photos. The rest are enrolled with three good photos and searched with the fourth; mirror
images are added everywhere. What is searched with are the photos (`good`) and what `damage` makes of them, aligned like
any photo and kept in --out. Accuracy is for as many strangers as known people. The threshold is calibrated on the
gallery alone, which has good photos only, for an FPIR of 0.01. A row for each model and kind of photos goes to
benchmarks/unseen_people.csv, means over the draws.
"""
from dataclasses import replace
from pathlib import Path

import numpy as np, pandas as pd
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import LANDMARKS, Alignment, align_faces, align_images
from facereid_nb.backbones import native_input
from facereid_nb.data import atomic_write, open_image, read_items
from facereid_nb.evaluate import at_threshold, cmc, det_curve, dir_at, searches
from facereid_nb.model import ARCFACE, Ensemble, FaceModel, embed, load_model
from damage import KINDS
from lfw125 import ALIGNMENT, arguments, enrol, mobilefacenet

WITH_MARGIN = Alignment(size=168, margin=0.25, select='central')
MIDDLE = slice(28, 140) # Of these crops, what `ALIGNMENT` cuts out
FPIR, DRAWS = 0.01, 6


def trial_people(items):
    "The photos of people who have four."
    return items[items['gt'].map(items['gt'].value_counts()) == 4].reset_index(drop=True)


def landmarks_of(crops):
    "`(N,5,2)`, in pixels of the photos."
    return crops[[f'{name}_{axis}' for name in LANDMARKS for axis in 'xy']].to_numpy().reshape(-1, 5, 2)


def poor(kind, crops, args):
    "Crops with a margin, `(N,168,168,3)`, of all photos, damaged in one way."
    file = args.out/f'unseen people {kind}.npy'
    if not file.exists():
        rng = np.random.default_rng(0)
        damaged = [KINDS[kind](open_image(args.others/path), rng, landmarks)
                   for path, landmarks in zip(crops.image_path, landmarks_of(crops))]
        with atomic_write(file) as tmp:
            np.save(tmp, np.stack([crop.image for crop in align_images(damaged, WITH_MARGIN)]))
    return np.load(file)


def trial_photos(args):
    "Who is in the trial photos, `(N,)`, and the photos by kind, crops with a margin."
    items = trial_people(read_items(args.others/'others.csv'))
    crops = align_faces(items, args.out/'unseen people', WITH_MARGIN)
    photos = dict(good=np.stack([open_image(path) for path in crops.path]))
    return crops['gt'].to_numpy(), photos | {kind: poor(kind, crops, args) for kind in KINDS}


def seen_by(model, crops):
    "The crops as the model takes them, with their margin or without."
    align = model.recipe.preprocessing.align
    return crops if align is not None and align.margin else crops[:, MIDDLE, MIDDLE]


def draw(names, seed):
    "Rows of photos to enrol, of mated and of non-mated searches."
    rng, people = np.random.default_rng(seed), pd.factorize(names)[0]
    rows = np.argsort(people, kind='stable').reshape(-1, 4)
    order, searched = rng.permutation(len(rows)), rng.integers(0, 4, len(rows))
    known, strangers = np.split(order, [2*len(rows)//3])
    is_searched = np.arange(4) == searched[known, None]
    return rows[known][~is_searched], rows[known][is_searched], rows[strangers].ravel()


def gallery_of(names, embeddings, background):
    "The gallery of one draw, with its background, if there is one."
    gallery = enrol(names, embeddings)
    if background is not None: gallery.use_background(background, gallery.model_id)
    return gallery


def accuracy(DIR, FPIR):
    "With as many non-mated searches as mated ones."
    return (1 + DIR - FPIR)/2


def rates(table, threshold):
    "Rates of searches, some of them at a threshold."
    there, curve = at_threshold(table, threshold), det_curve(table)
    return {'rank-1': cmc(table, 1)[1], f'DIR at FPIR {FPIR}': dir_at(table, FPIR),
            'highest accuracy': accuracy(1 - curve.FNIR, curve.FPIR).max(),
            'accuracy at the calibrated threshold': accuracy(there.DIR, there.FPIR), 'FPIR there': there.FPIR}


def embedded(model, photos):
    "Embeddings of each kind of photos."
    return {kind: embed(model, seen_by(model, crops), mirror=True) for kind, crops in photos.items()}


def measure(found, names, background):
    "A row of mean rates for each kind of photos, from their embeddings."
    rows = []
    for seed in range(DRAWS):
        enrolled, mated, non_mated = draw(names, seed)
        gallery = gallery_of(names[enrolled], found['good'][enrolled], background)
        probes = np.r_[mated, non_mated]
        threshold = gallery.calibrate(FPIR).threshold
        for kind, embeddings in found.items():
            table = searches(gallery.scores(embeddings[probes], ''), gallery.names, names[probes])
            rows.append({'photos': kind, **rates(table, threshold)})
    return pd.DataFrame(rows).groupby('photos', sort=False).mean().reset_index()


def model_of(path):
    "A saved model, or a published network as it is."
    if path.suffix == '.safetensors': return load_model(path)
    if path.suffix == '.pt': return FaceModel(mobilefacenet(path)).eval()
    network = dict(backbone='onnx', weights=str(path), **native_input(str(path)))
    return FaceModel(replace(ARCFACE, align=ALIGNMENT, **network)).eval()


def models_of(text):
    "A model, or an ensemble of several, and its name in the CSV."
    paths = [Path(path) for path in text.split('+')]
    models = [model_of(path) for path in paths]
    return ' + '.join(path.stem for path in paths), models[0] if len(models) == 1 else Ensemble(models)


def main():
    parser = arguments(__doc__)
    parser.add_argument('--others', type=Path, help='folder of `others`; default: beside that of --data')
    parser.add_argument('--models', nargs='+', metavar='FILE[+FILE]')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    args = parser.parse_args()
    args.others = args.others or args.data.parent/'others'
    names, photos = trial_photos(args)
    tables = []
    for text in args.models or [str(args.weights)]:
        name, model = models_of(text)
        tables.append(measure(embedded(model, photos), names, model.background).assign(model=name).round(4))
        print(name, tables[-1].drop(columns='model').to_string(index=False), sep='\n', flush=True)
    table = pd.concat(tables)
    table.insert(0, 'model', table.pop('model'))
    with atomic_write(Path('benchmarks/unseen_people.csv')) as tmp: table.to_csv(tmp, index=False)


if __name__ == '__main__': main()
