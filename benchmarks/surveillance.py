"""Strangers and a store camera, end to end on lfw125: calibrated thresholds on test and test_cctv, without training and
with the surveillance recipe.

    python benchmarks/surveillance.py --data DIR --weights mobilefacenet.pt

DIR holds trainset.csv, eval_set.csv, public_labels.csv, train/, test/ and test_cctv/. Everything goes to --out; crops that
are there are kept, a model that is there is trained to its end. Every threshold but the fixed one comes from the enrolment
photos alone. A row for each model, kind of photos and threshold goes to benchmarks/surveillance.csv, with 95 % intervals;
the DET curves go to benchmarks/surveillance_det.csv.
"""
import time
from dataclasses import replace
from pathlib import Path

import numpy as np, pandas as pd
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import align_faces
from facereid_nb.data import atomic_write, read_items
from facereid_nb.evaluate import det_curve, dir_at, intervals, searches
from facereid_nb.gallery import Gallery
from facereid_nb.infer import Recognizer
from facereid_nb.model import SURVEILLANCE, FaceModel
from facereid_nb.train import face_learner
from lfw125 import arguments

FPIRS = (0.01, 0.05)
UNKNOWN_SHARE = 0.3 # Of the searches in the competition, as its description says
RELATIVE = dict(cohort=1, cohort_weight=0.25) # What the trained network's scores of degraded images are relative to


def thresholds(gallery, fixed):
    "Calibrated thresholds by their aim, and fixed ones."
    found = {f'FPIR {fpir}': gallery.calibrate(fpir).threshold for fpir in FPIRS}
    found[f'accuracy, {UNKNOWN_SHARE:.0%} unknown'] = gallery.calibrate(unknown_share=UNKNOWN_SHARE).threshold
    return found | {f'fixed {t}': t for t in fixed}


def row(name, part, aim, threshold, table):
    "Rates of one model on one kind of photos at one threshold."
    of = intervals(table, threshold)
    found = {'model': name, 'photos': part, 'threshold for': aim, 'threshold': threshold,
             'rank-1': of.estimate['rank-1'], 'DIR at FPIR 0.01': dir_at(table, 0.01)}
    for rate in ('accuracy', 'DIR', 'FPIR'):
        found |= {rate: of.estimate[rate], f'{rate} low': of.low[rate], f'{rate} high': of.high[rate]}
    return found


def measure(name, model, crops, tests, fixed=(), **degraded):
    "Rows and DET curves: for clean photos a gallery as usual, for the store camera's one made for it, with options."
    rows, curves = [], []
    for part, items in tests.items():
        options = dict(camera=SURVEILLANCE.distillation.camera, **degraded) if part == 'test_cctv' else {}
        gallery = Gallery.build(model, crops, mirror=True, **options)
        table = searches(Recognizer(model, gallery, threshold=0.).scores(items), gallery.names, items['gt'])
        rows += [row(name, part, aim, t, table) for aim, t in thresholds(gallery, fixed).items()]
        curves.append(det_curve(table).assign(model=name, photos=part))
    return rows, curves


def aligned(args, folder, align):
    "Crops to enrol, and crops to search with by their folder, with the truth."
    crops = align_faces(read_items(args.data/'trainset.csv'), folder, align)
    labels = pd.read_csv(args.data/'public_labels.csv')
    tests = {part: align_faces(read_items(args.data/'eval_set.csv', args.data/part), folder/part, align)
             .merge(labels, on='image_path', suffixes=('_none', '')) for part in ('test', 'test_cctv')}
    return crops, tests


def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    parser.add_argument('--epochs', type=int, default=SURVEILLANCE.schedule.epochs)
    args = parser.parse_args()

    started = time.time()
    recipe = replace(SURVEILLANCE, weights=str(args.weights), epochs=args.epochs)
    crops, tests = aligned(args, args.out/'crops_with_margin', recipe.preprocessing.align)
    print(f'aligned ({time.time() - started:.0f} s)', flush=True)
    learn = face_learner(crops, recipe)
    learn.fit_recipe(args.out/'surveillance.safetensors', resume=True)
    print(f'trained ({time.time() - started:.0f} s)', flush=True)
    untrained, trained = FaceModel(replace(recipe, epochs=0)).to(learn.model.device).eval(), learn.model.eval()
    found = [measure('no training', untrained, crops, tests, fixed=(0.8,)),
             measure('surveillance', trained, crops, tests, **RELATIVE)]
    table = pd.DataFrame([row for rows, _ in found for row in rows]).round(4)
    curves = pd.concat([curve for _, curves in found for curve in curves])
    curves = curves[curves.FPIR.diff().fillna(1) != 0].replace(np.inf, np.nan).round(5)
    for name, frame in (('surveillance', table), ('surveillance_det', curves)):
        with atomic_write(Path(f'benchmarks/{name}.csv')) as tmp: frame.to_csv(tmp, index=False)
    print(table.to_string(index=False), f'\n{time.time() - started:.0f} s in all')


if __name__ == '__main__': main()
