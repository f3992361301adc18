"""How to train for poor cameras, and what to compare with: short runs of equal length on lfw125's training photos.

    python benchmarks/poor_cameras.py --data DIR --weights mobilefacenet.pt

MobileFaceNet is trained as the surveillance recipe says but for one thing, without a fifth of the people, who are the strangers, and without
a fifth of the others' photos, which are searched with: good ones, and two poor copies of each (`Camera()`). A row for each way to train and
each gallery goes to benchmarks/poor_cameras.csv, which is written after every run.
"""
from dataclasses import replace
from pathlib import Path

import numpy as np, pandas as pd, torch, torch.nn.functional as F
from facereid_nb.align import align_faces
from facereid_nb.data import atomic_write, read_items
from facereid_nb.evaluate import cmc, det_curve, dir_at, heldout_split, searches
from facereid_nb.gallery import Gallery, embed
from facereid_nb.train import SURVEILLANCE, face_learner
from lfw125 import arguments

NAMES = dict(classify=1., distill=0., relations=0., margin=0.3)
WAYS = {'no training': dict(epochs=0), 'names': NAMES, 'names and the teacher': dict(NAMES, distill=5.), 'the teacher': dict(relations=0.),
        'the teacher and relations': {}, 'the same, batch norm trained': dict(freeze_bn=False)}

def accuracy(table):
    "The highest accuracy at any threshold."
    curve, mated = det_curve(table), table.mated.mean()
    return (mated*(1 - curve.FNIR) + (1 - mated)*(1 - curve.FPIR)).max()

def rows(way, model, enrolled, probes):
    "A row for each gallery and kind of photos."
    camera = SURVEILLANCE.camera
    good, poor = (embed(model, enrolled.path, mirror=True, camera=c) for c in (None, camera))
    names, owners = np.unique(enrolled['gt'], return_inverse=True)
    copies = pd.concat([probes, probes])
    searched = {'good': (probes, embed(model, probes.path, mirror=True)), 'poor': (copies, embed(model, copies.path, mirror=True, camera=camera))}
    galleries = {'good photos': (good, 0), 'good photos, cohort of 30': (good, 30), 'good and poor photos': (F.normalize(good + poor), 0),
                 'good and poor photos, cohort of 30': (F.normalize(good + poor), 30)}
    found = []
    for gallery, (embeddings, cohort) in galleries.items():
        people = Gallery('', True, names, embeddings, torch.tensor(owners), cohort=cohort)
        for kind, (items, e) in searched.items():
            table = searches(people.scores(e, ''), names, items['gt'])
            found.append({'training': way, 'gallery': gallery, 'searched': kind, 'rank-1': cmc(table, 1)[1], 'DIR at FPIR 0.01': dir_at(table, 0.01),
                          'DIR at FPIR 0.05': dir_at(table, 0.05), 'highest accuracy': accuracy(table)})
    return found

def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'), help='crops that are there are kept')
    parser.add_argument('--epochs', type=int, default=6)
    args = parser.parse_args()
    enrolled, probes = heldout_split(align_faces(read_items(args.data/'trainset.csv'), args.out/'crops', SURVEILLANCE.align))
    found = []
    for way, changes in WAYS.items():
        learn = face_learner(enrolled, replace(SURVEILLANCE, **{'weights': str(args.weights), 'hold_out': 0., 'epochs': args.epochs, **changes}))
        with learn.no_bar(): learn.fit_recipe(args.out/'poor_cameras.safetensors')
        found += rows(way, learn.model, enrolled, probes)
        with atomic_write(Path('benchmarks/poor_cameras.csv')) as tmp: pd.DataFrame(found).round(4).to_csv(tmp, index=False)
        print(pd.DataFrame(found[-8:]).round(4).to_string(index=False), flush=True)

if __name__ == '__main__': main()
