"""How time and memory of naming faces grow with the photos.

    python benchmarks/photos.py

Photos of lfw125, drawn ones where they are not there, are replayed: a table of so many rows names them again and
again. A row for each number of photos and kind goes to benchmarks/photos.csv: seconds of `Recognizer.predict`, on all
cores, and the memory that it needs beyond what was there before, in megabytes, each in a process of its own that has
named a thousand photos before. `photos` are searched for faces, and these aligned; `crops` are aligned already. The
network is MobileFaceNet.
"""
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
from facereid_nb.data import atomic_write, n_cores
from bench_faces import knowing
from bench_setup import ALIGNMENT, Setup, network, pictures
from in_turn import peak_memory
from lfw125 import arguments

REPLAYED = 1000 # Different photos


def replayed(items, n):
    "A table of `n` photos."
    again = pd.concat([items]*-(-n//len(items)), ignore_index=True)[:n]
    return again.assign(image_path=[f'{i}.jpg' for i in range(n)])


def named(setup, kind, n):
    "Seconds and megabytes of naming `n` photos."
    crops, photos = setup.crops(REPLAYED), setup.items(REPLAYED)
    recipe = setup.recipe('mobilefacenet', align=ALIGNMENT if kind == 'photos' else None)
    recognizer = knowing(network(recipe, pictures(crops[:32], 112)), crops)
    items = (photos if kind == 'photos' else crops[['path']]).pipe(replayed, n)
    recognizer.predict(items[:REPLAYED])
    before, started = peak_memory(), time.perf_counter()
    recognizer.predict(items)
    return dict(kind=kind, photos=n, seconds=round(time.perf_counter() - started, 1),
                megabytes=round(peak_memory() - before))


def main():
    parser = arguments(__doc__)
    parser.add_argument('--photos', type=int, nargs='+', default=[1000, 3000, 10_000])
    parser.add_argument('--crops', type=int, nargs='+', default=[1000, 10_000, 100_000])
    args = parser.parse_args()
    setup = Setup(args.data.resolve(), args.weights.resolve(), n_cores(), rounds=1)
    rows = []
    for kind in ('photos', 'crops'):
        for n in getattr(args, kind):
            with ProcessPoolExecutor(1, get_context('spawn')) as fresh:
                rows.append(fresh.submit(named, setup, kind, n).result())
            print(rows[-1], flush=True)
    with atomic_write(Path('benchmarks/photos.csv')) as tmp: pd.DataFrame(rows).to_csv(tmp, index=False)


if __name__ == '__main__': main()
