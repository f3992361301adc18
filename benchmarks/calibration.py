"""Is the FPIR that `Gallery.calibrate` aims at the one that strangers get? Real faces, many random splits.

    python benchmarks/calibration.py --data DIR --weights mobilefacenet.pt

MobileFaceNet without any training. In each split two thirds of the 125 people of lfw125's training photos are enrolled
and calibrated, the others are the strangers; nobody's photos are on both sides. Rates weigh every stranger the same. A
row for each target FPIR goes to benchmarks/calibration.csv: the mean over splits of the
measured FPIR, its standard deviation, and how often it lies in the interval that `calibrate` gives.
"""
import warnings
from pathlib import Path

import numpy as np, pandas as pd
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import align_faces
from facereid_nb.data import atomic_write, read_items
from facereid_nb.model import FaceModel, embed
from lfw125 import ALIGNMENT, arguments, enrol, fpir_over_people, mobilefacenet

TARGETS = (0.01, 0.02, 0.05, 0.1)


def divided(names, seed):
    "Rows of the photos of two thirds of the people, and of the others', person after person."
    people = np.random.default_rng(seed).permutation(names.unique())
    rows = names.groupby(names).indices
    return [np.concatenate([rows[name] for name in sorted(part)]) for part in np.split(people, [2*len(people)//3])]


def trial(names, embeddings, seed):
    "Target and measured FPIR of one split, a row for each target."
    enrolled, strangers = divided(names, seed)
    gallery, rows = enrol(names[enrolled], embeddings[enrolled]), []
    scores = gallery.search(embeddings[strangers], '')[0][:, 0].numpy()
    for target in TARGETS:
        of = gallery.calibrate(target, n_bootstrap=200)
        measured = fpir_over_people(scores, names[strangers], of.threshold)
        inside = of.low <= measured <= of.high
        rows.append({'target FPIR': target, 'measured FPIR': measured, 'inside': inside, 'FNIR': of.fnir})
    return rows


def main():
    parser = arguments(__doc__)
    parser.add_argument('--crops', type=Path, default=Path('benchmarks/lfw125/crops'), help='crops there are kept')
    parser.add_argument('--splits', type=int, default=200)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    items = align_faces(read_items(args.data/'trainset.csv'), args.crops, ALIGNMENT)
    embeddings = embed(FaceModel(mobilefacenet(args.weights)), items.path, mirror=True)
    trials = pd.DataFrame([row for seed in range(args.splits) for row in trial(items['gt'], embeddings, seed)])
    by = trials.groupby('target FPIR')
    measured = by['measured FPIR']
    table = pd.DataFrame({'measured FPIR': measured.mean(), 'sd': measured.std(), 'inside': by.inside.mean(),
                          'FNIR': by.FNIR.mean(), 'splits': by.size()}).round(4)
    with atomic_write(Path('benchmarks/calibration.csv')) as tmp: table.to_csv(tmp)
    print(table.to_string())


if __name__ == '__main__': main()
