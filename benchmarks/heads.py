"""How time and memory of head and loss grow with the people in training.

    python benchmarks/heads.py

A step is forward and backward of 256 embeddings of 512 numbers, on all cores; its gradients are those of the
embeddings and of everybody's weights. The rivals are ArcFace by a one-hot matrix and pytorch-metric-learning's (see
bench_heads.py, which has both beside ours in turn). A row for each goes to benchmarks/heads.csv: seconds of a step,
and the most memory that weights, gradients and all in between take, in megabytes, each in a process of its own.
"""
import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd, torch
from bench_heads import HEADS, Ours, steps
from facereid_nb.data import atomic_write, n_cores
from facereid_nb.heads import Focal, SphereFace2

class OursWith(Ours):
    "The head of a recipe with another loss."
    def __init__(self, loss, n_people):
        super().__init__(n_people)
        self.loss = loss.loss(n_people)

HEADS |= dict(sphereface2=partial(OursWith, SphereFace2()), sphereface2_focal=partial(OursWith, SphereFace2(gamma=2.)),
              focal=partial(OursWith, Focal()))

def measured(kind, n_people, batch, n):
    "A row."
    torch.set_num_threads(n_cores())
    found = steps(kind, n_people, batch, n)
    return dict(people=n_people, head=kind, seconds=round(found['seconds'], 4), megabytes=round(found['megabytes']))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--people', type=int, nargs='+', default=[100, 1000, 10_000, 100_000, 1_000_000])
    parser.add_argument('--heads', nargs='+', default=[*HEADS], choices=[*HEADS])
    parser.add_argument('--batch', type=int, default=256)
    args = parser.parse_args()
    rows = []
    for n in args.people:
        for kind in args.heads:
            with ProcessPoolExecutor(1, get_context('spawn')) as fresh:
                rows.append(fresh.submit(measured, kind, n, args.batch, max(2, min(20, 10**6 // n))).result())
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    with atomic_write(Path('benchmarks/heads.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.pivot(index='head', columns='people', values=['seconds', 'megabytes']).loc[args.heads].to_string())

if __name__ == '__main__': main()
