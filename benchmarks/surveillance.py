"""Poor cameras, end to end on lfw125: fine-tune MobileFaceNet with the surveillance recipe, calibrate, and answer test_cctv and test.

    python benchmarks/surveillance.py --data DIR --weights mobilefacenet.pt

DIR holds trainset.csv, eval_set.csv, public_labels.csv, train/, test/ and test_cctv/. Everything goes to --out; crops that are there are kept.
Every threshold comes from the enrolment photos alone, for an FPIR of 0.01. A row for each model and test set goes to benchmarks/surveillance.csv.
"""
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
from facereid_nb.align import align_faces
from facereid_nb.data import atomic_write, read_items
from facereid_nb.evaluate import at_threshold, dir_at, searches
from facereid_nb.gallery import Gallery
from facereid_nb.infer import Recognizer
from facereid_nb.train import SURVEILLANCE, FaceModel, face_learner
from lfw125 import arguments

def measure(model, crops, tests, labels, name):
    "A row for each test set, the threshold calibrated for its kind of photo."
    rows = []
    for part, items in tests.items():
        gallery = Gallery.build(model, crops, mirror=True, camera=SURVEILLANCE.camera if part == 'test_cctv' else None)
        gallery.calibrate(fpir=0.01)
        known = items.merge(labels, on='image_path', suffixes=('_none', ''))
        table = searches(Recognizer(model, gallery).scores(known), gallery.names, known['gt'])
        rows.append({'model': name, 'photos': part, 'threshold': gallery.threshold, **at_threshold(table, gallery.threshold), 'DIR at FPIR 0.01': dir_at(table, 0.01)})
    return rows

def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    parser.add_argument('--epochs', type=int, default=SURVEILLANCE.epochs)
    args = parser.parse_args()

    started = time.time()
    recipe = replace(SURVEILLANCE, weights=str(args.weights), epochs=args.epochs)
    crops = align_faces(read_items(args.data/'trainset.csv'), args.out/'crops', recipe.align)
    tests = {part: align_faces(read_items(args.data/'eval_set.csv', args.data/part), args.out/'crops'/part, recipe.align) for part in ('test', 'test_cctv')}
    labels = pd.read_csv(args.data/'public_labels.csv')
    print(f'aligned ({time.time() - started:.0f} s)', flush=True)
    rows = measure(FaceModel(replace(recipe, epochs=0)).eval(), crops, tests, labels, 'no training')
    learn = face_learner(crops, recipe)
    learn.fit_recipe(args.out/'surveillance.safetensors', resume=True)
    rows += measure(learn.model.eval(), crops, tests, labels, f'surveillance, {args.epochs} epochs')
    table = pd.DataFrame(rows).round(4)
    with atomic_write(Path('benchmarks/surveillance.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False), f'\n{time.time() - started:.0f} s in all')

if __name__ == '__main__': main()
