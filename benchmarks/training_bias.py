"""A gallery of people whom the model was trained on: is the FPIR that `Gallery.calibrate` promises the one that strangers get?

    python benchmarks/training_bias.py --data DIR --weights mobilefacenet.pt

MobileFaceNet is trained on the names of three fifths of the people of lfw125's training photos, from poor copies of them (`Camera()`).
In each split half of the others are enrolled with them and calibrated, and the rest are the strangers, in poor photos too.
`told` is `calibrate` as it is; `not told` is a gallery that doesn't know who was trained on. Rates weigh every stranger the same.
A row for each rate that is asked for goes to benchmarks/training_bias.csv: the mean over splits of the measured rate, and its
standard deviation.
"""
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np, pandas as pd, torch, torch.nn.functional as F
from facereid_nb.align import align_faces
from facereid_nb.data import atomic_write, read_items
from facereid_nb.gallery import Gallery, embed
from facereid_nb.train import SURVEILLANCE, face_learner
from lfw125 import ALIGNMENT, arguments

FPIRS = (0.01, 0.02, 0.05, 0.1)

def split(items, good, poor, trained, seed):
    "Promised and measured FPIR of one split, for each rate, told and not told."
    others = np.random.default_rng(seed).permutation(sorted(set(items['gt']) - set(trained)))
    stranger = items['gt'].isin(others[:len(others)//2]).to_numpy()
    names, owners = np.unique(items['gt'][~stranger], return_inverse=True)
    rows = []
    for told in (True, False):
        gallery = Gallery('', True, names, F.normalize(good + poor)[~stranger], torch.tensor(owners), poor[~stranger], trained=trained if told else ())
        scores = gallery.scores(poor[stranger], '').max(dim=1).values.numpy()
        for fpir in FPIRS:
            threshold = gallery.calibrate(fpir, n_bootstrap=2).threshold
            measured = pd.Series(scores >= threshold).groupby(items['gt'][stranger].to_numpy()).mean().mean()
            rows.append(dict(gallery='told' if told else 'not told', promised=fpir, measured=measured))
    return rows

def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'), help='crops and a model that are there are kept')
    parser.add_argument('--epochs', type=int, default=5)
    parser.add_argument('--splits', type=int, default=200)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    recipe = replace(SURVEILLANCE, align=ALIGNMENT, realign=None, optimizer='adamw', weights=str(args.weights), good=0., classify=1., distill=0., relations=0., features=0., blend=0., margin=0.3, hold_out=0.4, epochs=args.epochs)
    items = align_faces(read_items(args.data/'trainset.csv'), args.out/'crops', recipe.align)
    learn = face_learner(items, recipe)
    learn.fit_recipe(args.out/'training_bias.safetensors', resume=True)
    good, poor = (embed(learn.model, items.path, mirror=True, camera=camera) for camera in (None, recipe.camera))
    trials = pd.DataFrame([row for seed in range(args.splits) for row in split(items, good, poor, learn.model.class_names, seed)])
    table = trials.groupby(['gallery', 'promised']).measured.agg(['mean', 'std', 'size']).rename(columns=dict(mean='measured', std='sd', size='splits')).round(4)
    with atomic_write(Path('benchmarks/training_bias.csv')) as tmp: table.to_csv(tmp)
    print(table.to_string())

if __name__ == '__main__': main()
