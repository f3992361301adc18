"""How time and memory of a gallery grow with the people in it.

    python benchmarks/gallery_size.py

Random embeddings of 512 numbers, five photos of each person, one thread. A row for each number of people and step
goes to benchmarks/gallery_size.csv: seconds, and the memory that the step needs beyond the embeddings themselves, in
megabytes (read from /proc, so on Linux alone). `build` adds all photos in one call, `add` person by person, both with
the templates; `one more` is a person more and a search; `search` is one search for the five nearest in a gallery that
has been searched before, and `matrix product` the product with all templates and the five highest, the least that a
search can take.
"""
import argparse, re, time, warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas as pd, torch, torch.nn.functional as F
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.data import atomic_write
from facereid_nb.gallery import Gallery

PHOTOS, REPEATS = 5, 50

def invented(n_people, size=512):
    "Embeddings of people, each around a direction of their own, one person after another."
    rng = torch.Generator().manual_seed(0)
    e = torch.empty(n_people, PHOTOS, size)
    for person in e:
        centre, scatter = torch.randn(size, generator=rng), torch.randn(PHOTOS, size, generator=rng)
        person[:] = F.normalize(centre + 1.5*scatter)
    return e

def built(e):
    gallery = Gallery('m')
    gallery.add_photos([p for p in range(len(e)) for _ in range(PHOTOS)], e.flatten(0, 1), 'm')
    gallery.templates
    return gallery

def added(e):
    gallery = Gallery('m')
    for p, photos in enumerate(e): gallery.add(p, photos, 'm')
    gallery.templates

def one_more(gallery, e):
    gallery.add('one more', e[0], 'm')
    gallery.search(e[0, :1], 'm', k=5)

def searched(gallery, e):
    for _ in range(REPEATS): gallery.search(e[0, :1], 'm', k=5)

def multiplied(gallery, e):
    for _ in range(REPEATS): (e[0, :1] @ gallery.templates.T).topk(5)

AFTERWARDS = {'search': searched, 'matrix product': multiplied, 'one more': one_more,
              'calibrate': lambda gallery, e: gallery.calibrate(0.01)}
STEPS = ['build', 'add', *AFTERWARDS]

def memory(what):
    "`VmRSS`, the memory of this process, or `VmHWM`, its peak, in megabytes."
    return int(re.search(rf'{what}:\s+(\d+)', Path('/proc/self/status').read_text())[1])/1024

def measured(n_people, step):
    "Seconds and megabytes of one step, in a process of its own."
    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    e = invented(n_people)
    gallery = built(e) if step in AFTERWARDS else None
    if step in ('search', 'matrix product'): AFTERWARDS[step](gallery, e)
    Path('/proc/self/clear_refs').write_text('5') # the peak starts anew
    before, start = memory('VmRSS'), time.perf_counter()
    if gallery: AFTERWARDS[step](gallery, e)
    else: (built if step == 'build' else added)(e)
    seconds = (time.perf_counter() - start)/(REPEATS if step in ('search', 'matrix product') else 1)
    return dict(people=n_people, photos=PHOTOS*n_people, step=step, seconds=round(seconds, 5),
                megabytes=round(memory('VmHWM') - before))

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--people', type=int, nargs='+', default=[100, 500, 1000, 2000, 4000, 8000])
    args = parser.parse_args()
    rows = []
    for n in args.people:
        for step in STEPS:
            with ProcessPoolExecutor(1, get_context('spawn')) as fresh:
                rows.append(fresh.submit(measured, n, step).result())
    table = pd.DataFrame(rows)
    with atomic_write(Path('benchmarks/gallery_size.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.pivot(index='people', columns='step', values=['seconds', 'megabytes']).to_string())

if __name__ == '__main__': main()
