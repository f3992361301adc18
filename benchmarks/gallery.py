"""What a gallery compares with: one mean or several templates, mirror images, photos weighed by quality, scores normalised by a cohort.

    python benchmarks/gallery.py --data DIR --weights mobilefacenet.pt

MobileFaceNet without any training, on lfw125's training photos, searched with good photos and with poor copies of them (`Camera()`), enrolled
from good photos and from photos of which half are poor. In each split a fifth of the people are strangers and a fifth of the others' photos
are searched with. A row for each way to enrol, kind of photos and choice goes to benchmarks/gallery.csv: rank-1 and DIR at an FPIR of 0.01,
means over splits, and the difference to the first choice, one mean with mirror images, with its standard error over splits.
benchmarks/gallery_quality.csv has how `photo_quality` goes with a photo's similarity to the person's other photos (rank correlation, Spearman).
"""
import warnings
from pathlib import Path

import numpy as np, pandas as pd, torch
from scipy.stats import spearmanr
from facereid_nb.align import align_faces
from facereid_nb.data import atomic_write, read_items
from facereid_nb.degrade import Camera
from facereid_nb.evaluate import cmc, dir_at, heldout_split, searches
from facereid_nb.gallery import Gallery, embed, photo_quality
from facereid_nb.train import FaceModel
from lfw125 import ALIGNMENT, arguments, mobilefacenet

CHOICES = {'one mean': {}, 'no mirror images': dict(mirror=False), 'two templates': dict(n_templates=2), 'four templates': dict(n_templates=4),
           'weighed by quality': dict(power=1), 'weighed by quality²': dict(power=2), 'cohort of 10': dict(cohort=10), 'cohort of 50': dict(cohort=50)}

def photos(model, items):
    "Embeddings without and with mirror images and the quality, of good photos and of poor copies."
    found = {}
    for kind, camera in (('good', None), ('poor', Camera())):
        plain, mirrored = (embed(model, items.path, mirror, camera=camera) for mirror in (False, True))
        found[kind] = {False: plain, True: mirrored, 'quality': photo_quality(model, items.path, camera=camera)}
    return found

def mixed(found, rng):
    "Photos of which half are good and half poor."
    poor = torch.tensor(rng.random(len(found['good'][True])) < 0.5)
    return {k: torch.where(poor if v.ndim == 1 else poor[:, None], found['poor'][k], v) for k, v in found['good'].items()}

def trial(items, found, seed):
    enrolled, probes = heldout_split(items, seed=seed)
    in_gallery, searched = (np.flatnonzero(items.image_path.isin(part.image_path)) for part in (enrolled, probes))
    names = items['gt'].iloc[in_gallery]
    people, owners = np.unique(names, return_inverse=True)
    truth = probes.set_index('image_path').loc[items.image_path.iloc[searched], 'gt'].to_numpy()
    rows = []
    for enrolment, photos in (('good', found['good']), ('half poor', mixed(found, np.random.default_rng(seed)))):
        for choice, how in CHOICES.items():
            mirror, power = how.get('mirror', True), how.get('power', 0)
            gallery = Gallery('', mirror, people, photos[mirror][in_gallery], torch.tensor(owners), weights=photos['quality'][in_gallery]**power,
                              n_templates=how.get('n_templates', 1), cohort=how.get('cohort', 0))
            for kind in ('good', 'poor'):
                table = searches(gallery.scores(found[kind][mirror][searched], ''), gallery.names, truth)
                rows.append({'enrolled': enrolment, 'searched': kind, 'choice': choice, 'seed': seed, 'rank-1': cmc(table, 1)[1], 'DIR': dir_at(table, 0.01)})
    return rows

def quality_correlation(items, found):
    "Spearman's ρ of quality and mated similarity, a row for each kind of photo."
    people, owners = np.unique(items['gt'], return_inverse=True)
    rows = []
    for kind in ('good', 'poor'):
        gallery = Gallery('', True, people, found['good'][True], torch.tensor(owners), searches=found[kind][True])
        rows.append({'searched': kind, 'Spearman': spearmanr(found[kind]['quality'], gallery.enrolment_scores().mated, nan_policy='omit').statistic})
    return pd.DataFrame(rows)

def main():
    parser = arguments(__doc__)
    parser.add_argument('--crops', type=Path, default=Path('benchmarks/lfw125/crops'), help='crops that are there are kept')
    parser.add_argument('--splits', type=int, default=40)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    items = align_faces(read_items(args.data/'trainset.csv'), args.crops, ALIGNMENT)
    model = FaceModel(mobilefacenet(args.weights))
    found = photos(model, items)
    trials = pd.DataFrame([row for seed in range(args.splits) for row in trial(items, found, seed)]).set_index(['enrolled', 'searched', 'choice', 'seed'])
    difference = trials - trials.xs('one mean', level='choice').reindex(trials.index.droplevel('choice')).to_numpy()
    by = ['enrolled', 'searched', 'choice']
    table = trials.groupby(by, sort=False).mean()
    for measure in ('rank-1', 'DIR'):
        of = difference[measure].groupby(by, sort=False)
        table[f'{measure} difference'], table[f'{measure} standard error'] = of.mean(), of.sem()
    table['splits'] = args.splits
    quality = quality_correlation(items, found)
    with atomic_write(Path('benchmarks/gallery.csv')) as tmp: table.round(4).to_csv(tmp)
    with atomic_write(Path('benchmarks/gallery_quality.csv')) as tmp: quality.round(3).to_csv(tmp, index=False)
    print(table.round(4).to_string(), quality.round(3).to_string(index=False), sep='\n')

if __name__ == '__main__': main()
