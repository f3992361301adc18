"""What a gallery compares with: one mean or several templates, mirror images, quality-weighted photos, scores
normalised by a cohort.

    python benchmarks/gallery.py --data DIR --weights mobilefacenet.pt

MobileFaceNet without any training, on lfw125's training photos, searched with the photos (`good` in the CSV) and with
degraded copies of them (`degraded`, by `Camera()`), enrolled from photos and from a mixture of which half are
degraded. In each split a fifth of the people are strangers and a fifth of the others' photos are searched with. A row
for each way to enrol, kind of photos and choice goes to benchmarks/gallery.csv: rank-1 and DIR at an FPIR of 0.01,
means over splits, and the difference to the first choice, one mean with mirror images, with its standard error over
splits. benchmarks/gallery_quality.csv has how `photo_quality` goes with a photo's similarity to the person's other
photos (rank correlation, Spearman).
"""
import warnings
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np, pandas as pd, torch
from scipy.stats import spearmanr
from facereid_nb.align import align_faces
from facereid_nb.augment import Camera
from facereid_nb.data import atomic_write, read_items
from facereid_nb.evaluate import cmc, dir_at, heldout_split, searches
from facereid_nb.gallery import photo_quality
from facereid_nb.model import FaceModel, embed
from lfw125 import ALIGNMENT, arguments, enrol, mobilefacenet, rows_of

# By the names that they have in the CSV: the power of the quality by which photos are weighted, and other settings
CHOICES = {'one mean': (0, {}), 'no mirror images': (0, dict(mirror=False)),
           'two templates': (0, dict(n_templates=2)), 'four templates': (0, dict(n_templates=4)),
           'quality-weighted': (1, {}), 'quality²-weighted': (2, {}),
           'cohort of 10': (0, dict(cohort=10)), 'cohort of 50': (0, dict(cohort=50))}
CAMERAS = {'good': None, 'degraded': Camera()} # Kinds of photos, by the names that they have in the CSV


class Photos(NamedTuple):
    "What is known of photos, a row for each."
    plain:torch.Tensor # Embeddings without mirror images
    mirrored:torch.Tensor # Embeddings with them
    quality:torch.Tensor # From `photo_quality`

    def embeddings(self, mirror): return self.mirrored if mirror else self.plain
    def rows(self, rows): return Photos(*(of[rows] for of in self))


def photos_by(camera, model, items):
    "`Photos` as a camera gives them."
    plain, mirrored = (embed(model, items.path, mirror, camera=camera) for mirror in (False, True))
    return Photos(plain, mirrored, photo_quality(model, items.path, camera=camera))


def mixed(clean, degraded, rng):
    "`Photos` of which half are degraded."
    chosen = torch.tensor(rng.random(len(clean.quality)) < 0.5)
    return Photos(*(torch.where(chosen if c.ndim == 1 else chosen[:, None], d, c) for c, d in zip(clean, degraded)))


def gallery_of(names, photos, power, mirror=True, **settings):
    "A gallery by one choice."
    return enrol(names, photos.embeddings(mirror), weights=photos.quality**power, mirror=mirror, **settings)


def rates(gallery, photos, truth):
    "Rank-1 and DIR of searches with photos."
    table = searches(gallery.scores(photos.embeddings(gallery.settings.mirror), ''), gallery.names, truth)
    return {'rank-1': cmc(table, 1)[1], 'DIR': dir_at(table, 0.01)}


def trial(items, found, seed):
    "One split: a row for each way to enrol, choice and kind of photos."
    enrolled, probes = heldout_split(items, seed=seed)
    ways = {'good': found['good'], 'half degraded': mixed(*found.values(), np.random.default_rng(seed))}
    rows = []
    for (enrolment, photos), (choice, (power, settings)) in product(ways.items(), CHOICES.items()):
        gallery = gallery_of(enrolled['gt'], photos.rows(rows_of(enrolled, items)), power, **settings)
        rows += [{'enrolled': enrolment, 'searched': kind, 'choice': choice, 'seed': seed,
                  **rates(gallery, of.rows(rows_of(probes, items)), probes['gt'])} for kind, of in found.items()]
    return rows


def summary(trials):
    "Means over splits, and differences to one mean with mirror images."
    by = ['enrolled', 'searched', 'choice']
    trials = trials.set_index([*by, 'seed'])
    first = trials.xs('one mean', level='choice').reindex(trials.index.droplevel('choice')).to_numpy()
    table, difference = trials.groupby(by, sort=False).mean(), trials - first
    for measure in ('rank-1', 'DIR'):
        of = difference[measure].groupby(by, sort=False)
        table[f'{measure} difference'], table[f'{measure} standard error'] = of.mean(), of.sem()
    return table.assign(splits=trials.index.unique('seed').size).round(4)


def quality_correlation(items, found):
    "Spearman's ρ of quality and mated similarity, a row for each kind of photos."
    rows = []
    for kind, searched in found.items():
        mated = enrol(items['gt'], found['good'].mirrored, probes=searched.mirrored).enrolment_scores().mated
        rows.append({'searched': kind, 'Spearman': spearmanr(searched.quality, mated, nan_policy='omit').statistic})
    return pd.DataFrame(rows).round(3)


def main():
    parser = arguments(__doc__)
    parser.add_argument('--crops', type=Path, default=Path('benchmarks/lfw125/crops'), help='crops there are kept')
    parser.add_argument('--splits', type=int, default=40)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    items = align_faces(read_items(args.data/'trainset.csv'), args.crops, ALIGNMENT)
    model = FaceModel(mobilefacenet(args.weights))
    found = {kind: photos_by(camera, model, items) for kind, camera in CAMERAS.items()}
    table = summary(pd.DataFrame([row for seed in range(args.splits) for row in trial(items, found, seed)]))
    quality = quality_correlation(items, found)
    with atomic_write(Path('benchmarks/gallery.csv')) as tmp: table.to_csv(tmp)
    with atomic_write(Path('benchmarks/gallery_quality.csv')) as tmp: quality.to_csv(tmp, index=False)
    print(table.to_string(), quality.to_string(index=False), sep='\n')


if __name__ == '__main__': main()
