"""Strangers and poor cameras, end to end: the surveillance recipe from two published networks, on lfw125 and on people
whom they never saw.

    python benchmarks/surveillance.py --data DIR --others DIR --networks A.onnx B.onnx

DIR of --data holds trainset.csv, eval_set.csv, public_labels.csv, train/, test/ and test_cctv/; --others holds
others.csv and photos of other people, from whom networks learn too, but for those with four photos: they are the
unseen people (see unseen_people.py). Everything goes to --out; crops that are there are kept, a model that is there is
trained to its end.
Each model has one gallery, of good photos, and thresholds from its background and gallery alone. A row for each model,
kind of photos and threshold goes to benchmarks/surveillance.csv, with 95 % intervals; the DET curves go to
benchmarks/surveillance_det.csv, the rates for unseen people to benchmarks/surveillance_unseen.csv.
"""
import time
from dataclasses import replace
from pathlib import Path

import numpy as np, pandas as pd, torch
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import align_faces
from facereid_nb.data import atomic_write, read_items
from facereid_nb.evaluate import det_curve, dir_at, intervals, searches
from facereid_nb.gallery import Gallery, GallerySettings
from facereid_nb.model import SURVEILLANCE, FaceModel, embed, embed_views, joined
from facereid_nb.train import face_learner
from lfw125 import arguments
from unseen_people import embedded as embedded_unseen, measure as measure_unseen, trial_people, trial_photos

FPIRS = (0.01, 0.05)
NETWORKS = 'edgeface_s_gamma_05', 'w600k_mbf'
UNKNOWN_SHARE = 0.3 # Of the searches in the competition, as its description says


def thresholds(gallery):
    "Calibrated thresholds by their aim."
    found = {f'FPIR {fpir}': gallery.calibrate(fpir).threshold for fpir in FPIRS}
    found[f'accuracy, {UNKNOWN_SHARE:.0%} unknown'] = gallery.calibrate(unknown_share=UNKNOWN_SHARE).threshold
    return found


def row(name, part, aim, threshold, table):
    "Rates of one model on one kind of photos at one threshold."
    of = intervals(table, threshold)
    found = {'model': name, 'photos': part, 'threshold for': aim, 'threshold': threshold,
             'rank-1': of.estimate['rank-1'], 'DIR at FPIR 0.01': dir_at(table, 0.01)}
    for rate in ('accuracy', 'DIR', 'FPIR'):
        found |= {rate: of.estimate[rate], f'{rate} low': of.low[rate], f'{rate} high': of.high[rate]}
    return found


def embedded(model, crops, tests, unseen):
    "Embeddings of everything by name: enrolment photos as they are and degraded, probes, background, unseen people."
    camera = SURVEILLANCE.distillation.camera
    return dict(enrolled=embed(model, crops.path, mirror=True),
                degraded=embed(model, crops.path, mirror=True, camera=camera),
                background=model.background, **{part: embed(model, of.path, mirror=True) for part, of in tests.items()},
                **embedded_unseen(model, unseen))


def pair(a, b):
    "Embeddings of two models as one."
    return {part: joined([a[part], b[part]], torch.tensor([0.5, 0.5])) for part in a}


def measure(name, found, crops, tests):
    "Rows and DET curves of a model, which has one gallery for all kinds of photos."
    gallery, rows, curves = Gallery('', GallerySettings(mirror=True)), [], []
    gallery.use_background(found['background'], '')
    gallery.add_photos(crops['gt'], found['enrolled'], '', probes=found['degraded'])
    chosen = thresholds(gallery)
    for part, items in tests.items():
        table = searches(gallery.scores(found[part], ''), gallery.names, items['gt'])
        rows += [row(name, part, aim, t, table) for aim, t in chosen.items()]
        curves.append(det_curve(table).assign(model=name, photos=part))
    return rows, curves


def aligned(args, align):
    "Crops to enrol, crops to search with by their folder, with the truth, and crops of other people."
    crops = align_faces(read_items(args.data/'trainset.csv'), args.out/'crops_with_margin', align)
    labels = pd.read_csv(args.data/'public_labels.csv')
    searched = {part: read_items(args.data/'eval_set.csv', args.data/part) for part in ('test', 'test_cctv')}
    tests = {part: align_faces(items, args.out/'crops_with_margin'/part, align)
             .merge(labels, on='image_path', suffixes=('_none', '')) for part, items in searched.items()}
    others = read_items(args.others/'others.csv')
    more = others[~others['gt'].isin(trial_people(others)['gt'])].reset_index(drop=True)
    return crops, tests, align_faces(more, args.out/'others', align)


def trained(network, crops, more, args):
    "A network trained by the recipe, with its background."
    learn = face_learner(crops, replace(SURVEILLANCE, weights=str(network), epochs=args.epochs), more=more)
    learn.fit_recipe(args.out/f'surveillance {network.stem}.safetensors', resume=True)
    return learn.model.eval(), learn.background_items


def untrained(network):
    "A published network as it is, on the crops of the recipe."
    return FaceModel(replace(SURVEILLANCE, weights=str(network), epochs=0)).eval()


def measured_by(networks, crops, tests, more, unseen, args):
    "Embeddings of everything, by the name of the model: each network, and both joined, without training and with it."
    before, after = {}, {}
    for network in networks:
        model, strangers = trained(network, crops, more, args)
        after[network.stem] = embedded(model, crops, tests, unseen)
        start = untrained(network)
        start.background = embed_views(start, strangers.path, SURVEILLANCE.distillation.camera, mirror=True)
        before[network.stem] = embedded(start, crops, tests, unseen)
        print(f'{network.stem} trained and embedded', flush=True)
    for of in (before, after): of['both'] = pair(*of.values())
    return {f'{name}, {how}': found for how, of in (('no training', before), ('trained', after))
            for name, found in of.items()}


def written(name, table):
    with atomic_write(Path(f'benchmarks/{name}.csv')) as tmp: table.to_csv(tmp, index=False)


def options(description):
    "A parser with the options that benchmarks of the surveillance recipe share."
    parser = arguments(description)
    weights = parser.get_default('weights').parent
    parser.add_argument('--others', type=Path, help='folder of other people; default: beside that of --data')
    parser.add_argument('--networks', type=Path, nargs=2, default=[weights/f'{name}.onnx' for name in NETWORKS])
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    return parser


def main():
    parser = options(__doc__)
    parser.add_argument('--epochs', type=int, default=SURVEILLANCE.schedule.epochs)
    args = parser.parse_args()
    args.others = args.others or args.data.parent/'others'

    started = time.time()
    crops, tests, more = aligned(args, SURVEILLANCE.preprocessing.align)
    names, unseen = trial_photos(args)
    print(f'aligned ({time.time() - started:.0f} s)', flush=True)
    found = measured_by(args.networks, crops, tests, more, unseen, args)
    measured = [measure(name, of, crops, tests) for name, of in found.items()]
    table = pd.DataFrame([row for rows, _ in measured for row in rows]).round(4)
    curves = pd.concat([curve for _, curves in measured for curve in curves])
    written('surveillance', table)
    written('surveillance_det', curves[curves.FPIR.diff().fillna(1) != 0].replace(np.inf, np.nan).round(5))
    of_unseen = pd.concat([
        measure_unseen({kind: of[kind] for kind in unseen}, names, of['background']).assign(model=name)
        for name, of in found.items()]).round(4)
    written('surveillance_unseen', of_unseen)
    for frame in (table, of_unseen): print(frame.to_string(index=False))
    print(f'{time.time() - started:.0f} s in all')


if __name__ == '__main__': main()
