"""Is the FPIR that `Gallery.calibrate` promises the one that strangers get? Real faces, many random splits.

    python benchmarks/calibration.py --data DIR --weights mobilefacenet.pt

MobileFaceNet without any training. In each split two thirds of the 125 people of lfw125's training photos are enrolled and calibrated,
the others are the strangers; nobody's photos are on both sides. Rates weigh every stranger the same. A row for each rate that is asked
for goes to benchmarks/calibration.csv: the mean over splits of the measured rate, its standard deviation, and how often it lies in the
interval that `calibrate` gives.
"""
import warnings
from pathlib import Path

import numpy as np, pandas as pd
from facereid_nb.align import align_faces
from facereid_nb.data import atomic_write, read_items
from facereid_nb.gallery import embed
from facereid_nb.train import FaceModel
from lfw125 import ALIGNMENT, arguments, enrol, mobilefacenet

def split(items, embeddings, model, fpirs, seed):
    "Promised and measured FPIR of one split, for each rate."
    people = np.random.default_rng(seed).permutation(items['gt'].unique())
    known = items['gt'].isin(people[:2*len(people)//3]).to_numpy()
    gallery = enrol(model, items[known].reset_index(drop=True), embeddings[known])
    scores = gallery.search(embeddings[~known], gallery.model_id)[0][:, 0].numpy()
    rows = []
    for fpir in fpirs:
        promise = gallery.calibrate(fpir, n_bootstrap=200)
        measured = pd.Series(scores >= promise.threshold).groupby(items['gt'][~known].to_numpy()).mean().mean()
        rows.append(dict(promised=fpir, measured=measured, inside=promise.low <= measured <= promise.high, fnir=promise.fnir))
    return rows

def main():
    parser = arguments(__doc__)
    parser.add_argument('--crops', type=Path, default=Path('benchmarks/lfw125/crops'), help='crops that are there are kept')
    parser.add_argument('--splits', type=int, default=200)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    items = align_faces(read_items(args.data/'trainset.csv'), args.crops, ALIGNMENT)
    model = FaceModel(mobilefacenet(args.weights))
    embeddings = embed(model, items.path, mirror=True)
    trials = pd.DataFrame([row for seed in range(args.splits) for row in split(items, embeddings, model, (0.01, 0.02, 0.05, 0.1), seed)])
    by = trials.groupby('promised')
    table = pd.DataFrame(dict(measured=by.measured.mean(), sd=by.measured.std(), inside=by.inside.mean(), fnir=by.fnir.mean(), splits=by.size())).round(4)
    with atomic_write(Path('benchmarks/calibration.csv')) as tmp: table.to_csv(tmp)
    print(table.to_string())

if __name__ == '__main__': main()
