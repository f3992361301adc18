"""Is the target FPIR kept by galleries of a few people, calibrated with a model's background? Real faces, 50 draws of
each size.

    python benchmarks/small_galleries.py --model model.safetensors
    python benchmarks/small_galleries.py --weights w600k_mbf.onnx

A saved model brings its background along, and must not have been trained on the people of `others` of whom there are
four photos (see unseen_people.py): they are the strangers. Network weights alone are used without any training; in each
draw 800 people of `others` are the background and the rest the strangers, a photo each. From lfw125's training photos 1
to 125 people are enrolled with 1, 3 or all of their photos; up to two more of each are searched with. All searches are
made twice: as they are, and degraded by the recipe's camera. The same galleries are also calibrated without a
background, for good searches, where that sets a threshold. A row for each target, size and kind of stranger goes to
benchmarks/small_galleries.csv.
"""
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np, pandas as pd, torch
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import align_faces
from facereid_nb.augment import Camera
from facereid_nb.calibrate import first_at_fpir, identification_rates
from facereid_nb.data import InputError, atomic_write, read_items
from facereid_nb.gallery import Gallery, GallerySettings
from facereid_nb.model import ARCFACE, FaceModel, embed, load_model
from lfw125 import ALIGNMENT, arguments
from unseen_people import trial_people

PEOPLE, PHOTOS = (1, 2, 5, 10, 25, 125), (1, 3, None) # None: all but those searched with
TARGETS, N_BACKGROUND, N_SEARCHED = (0.01, 0.05), 800, 2
KINDS = 'good', 'degraded'


def both_kinds(model, paths):
    "Embeddings `(2,N,D)` of crops as they are, and degraded."
    camera = model.recipe.distillation.camera if model.recipe.distillation else Camera()
    return torch.stack([embed(model, paths, mirror=True, camera=c) for c in (None, camera)])


def drawn_gallery(names, rng, n_people, n_photos):
    "Positions of photos to enrol, and of others of the same people to search with."
    enrolled, searched = [], []
    for name in rng.permutation(names.unique())[:n_people]:
        rows = rng.permutation(np.flatnonzero(names == name))
        n = min(N_SEARCHED, len(rows) - 1)
        searched += [*rows[:n]]
        enrolled += [*rows[n:][:n_photos]]
    return np.array(enrolled), np.array(searched)


def divided(others, background, rng):
    "Background `(2,N,D)` and positions of the strangers: the model's background, or people who are drawn."
    if background is not None: return background, np.arange(others.shape[1])
    people = rng.permutation(others.shape[1])
    return others[:, people[:N_BACKGROUND]], people[N_BACKGROUND:]


def calibrated(gallery, target):
    "The calibration, or None where nothing supports the target."
    gallery.calibration = None
    try: return gallery.calibrate(target, n_bootstrap=200)
    except InputError: return None


def rates(gallery, threshold, own, owners, strangers, target):
    "FPIR and DIR at a threshold, and the DIR at the lowest one with the target as its FPIR."
    scores, people = gallery.search(own, 'm')
    right = np.array(gallery.names, dtype=object)[people[:, 0]] == owners
    mated = np.where(right, scores[:, 0], -np.inf)
    non_mated = gallery.search(strangers, 'm')[0][:, 0].numpy()
    best = identification_rates(mated, non_mated)
    return {'FPIR': np.mean(non_mated >= threshold), 'DIR': np.mean(mated >= threshold),
            'best DIR': best.DIR[first_at_fpir(best, target)]}


def trial(names, photos, others, background, size, seed):
    "A row for each target and kind of stranger of one gallery."
    rng = np.random.default_rng(seed)
    enrolled, searched = drawn_gallery(names, rng, *size)
    background, strangers = divided(others, background, rng)
    rows = []
    for by, kinds in (('background', KINDS), ('enrolment photos', KINDS[:1])):
        gallery = Gallery('m', GallerySettings(mirror=True))
        if by == 'background': gallery.use_background(background, 'm')
        probes = photos[1, enrolled] if by == 'background' else None
        gallery.add_photos(names[enrolled], photos[0, enrolled], 'm', probes)
        for target in TARGETS:
            of = calibrated(gallery, target)
            row = {'target FPIR': target, 'people': size[0], 'photos': size[1] or 'all', 'strangers': by,
                   'set': bool(of)}
            if of:
                found = [rates(gallery, of.threshold, photos[kind, searched], names[searched].to_numpy(),
                               others[kind, strangers], target) for kind in range(len(kinds))]
                row |= {f'{rate} {name}': found[k][rate] for k, name in enumerate(kinds) for rate in found[k]}
                fpir = np.mean([of_kind['FPIR'] for of_kind in found])
                row |= {'FPIR': fpir, 'inside': of.low <= fpir <= of.high}
            rows.append(row)
    return rows


def summary(trials):
    "Means over draws, with the deviation of the measured FPIR from one gallery to the next."
    by = trials.groupby(['strangers', 'target FPIR', 'people', 'photos'], sort=False)
    means = by[['set', 'FPIR', 'inside']].agg(lambda values: values.astype(float).mean())
    means.insert(2, 'FPIR sd', by.FPIR.std())
    rest = [c for c in trials if c.startswith(('FPIR ', 'DIR ', 'best '))]
    return means.join(by[rest].mean()).assign(draws=by.size()).reset_index().round(4)


def main():
    parser = arguments(__doc__)
    parser.add_argument('--others', type=Path, default=None, help='CSV or folder; default: others.csv beside the data')
    parser.add_argument('--model', type=Path, default=None, help='a saved model; weights are not needed then')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'), help='crops there are kept')
    parser.add_argument('--draws', type=int, default=50)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    model = load_model(args.model) if args.model else FaceModel(
        replace(ARCFACE, weights=str(args.weights), epochs=0, align=ALIGNMENT)).eval()
    align, of_others = model.recipe.preprocessing.align, args.others or args.data.parent/'others'/'others.csv'
    crops = align_faces(read_items(args.data/'trainset.csv'), args.out/f'crops_{align.size}', align)
    others = read_items(of_others)
    others = align_faces(trial_people(others) if args.model else others, args.out/f'others_{align.size}', align)
    photos = both_kinds(model, crops.path)
    strangers = both_kinds(model, (others if args.model else others.drop_duplicates('gt')).path)
    known, background = (crops['gt'], photos, strangers), model.background
    table = summary(pd.DataFrame([row for people in PEOPLE for n in PHOTOS for seed in range(args.draws)
                                  for row in trial(*known, background, (people, n), seed)]))
    with atomic_write(Path('benchmarks/small_galleries.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False))


if __name__ == '__main__': main()
