"""How time and memory of a gallery grow with the people in it.

    python benchmarks/gallery_size.py

Embeddings of 512 numbers, five photos of each person (one where there are more than 200,000 people). A row for each
number of people and step goes to benchmarks/gallery_size.csv: seconds, and the memory that the step needs beyond the
embeddings themselves, in megabytes (read from /proc, so on Linux alone).

`build` adds all photos in one call, `add` person by person, both with the templates; `one more` is a person more and
a search. `search` is for the five nearest in a gallery that has been searched before, one at a time or 200 at once,
also with a background of 1,000 faces and with a cohort of 20. `matrix product` is the product with all templates and
the five highest, the least that an exact search can take, and `FAISS` its exact index. `index` is `approximate=True`,
whose codes are made once after a change; `recall` is which part of the five nearest it finds. All of this is on one
thread, in seconds of the processor; `calibrate`, up to 100,000 people, is on all cores, and seconds of it, `save` and
`load` are those of a clock.

People are drawn with the spectrum of real embeddings: that of w600k_mbf's of 1,500 people falls like exp(-i/100), as
if they had 200 numbers. Directions at random in 512 would all be equally far from each other. Searches are other
photos of some of the people, with a median cosine of 0.67 to another photo.
"""
import argparse, re, tempfile, time, warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd, torch, torch.nn.functional as F
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.data import atomic_write, n_cores
from facereid_nb.gallery import Gallery, GallerySettings

SIZE, K, SEARCHES, REPEATS, ONE_PHOTO = 512, 5, 200, 50, 200_000
SPREAD = torch.exp(-torch.arange(SIZE)/200)
CALIBRATED, INDEXED = 100_000, 10_000

def drawn(rng, *shape): return SPREAD*torch.randn(*shape, SIZE, generator=rng)

def invented(n_people, photos=None):
    "Embeddings of people's photos `(P,N,D)`, and of other photos of 200 of them."
    rng, photos = torch.Generator().manual_seed(0), photos or (1 if n_people > ONE_PHOTO else 5)
    e, searches = torch.empty(n_people, photos, SIZE), []
    for some in e.split(1000):
        centres = drawn(rng, len(some))
        some[:] = F.normalize(centres[:, None] + 0.7*drawn(rng, len(some), photos), dim=2)
        if len(searches) < SEARCHES: searches += [*F.normalize(centres + 0.7*drawn(rng, len(some)))]
    return e, torch.stack(searches[:SEARCHES])

def built(e, background=None, **settings):
    gallery = Gallery('m', GallerySettings(**settings))
    gallery.use_background(background, 'm')
    gallery.add_photos([p for p in range(len(e)) for _ in range(e.shape[1])], e.flatten(0, 1), 'm')
    gallery.templates
    return gallery

def added(e):
    gallery = Gallery('m')
    for p, photos in enumerate(e): gallery.add(p, photos, 'm')
    gallery.templates

def strangers(n=1000): return F.normalize(drawn(torch.Generator().manual_seed(1), 1, n), dim=2)

def one_more(gallery, searches):
    gallery.add('one more', searches[:1], 'm')
    gallery.search(searches[:1], 'm', k=K)

def searched(n, gallery, searches): return gallery.search(searches[:n], 'm', k=K)[1]

def multiplied(n, gallery, searches): return (searches[:n] @ gallery.templates.T).topk(K).indices

def flat_index(gallery):
    import faiss
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(SIZE)
    index.add(gallery.templates.numpy())
    return index

def ready_faiss(n, gallery, searches):
    index = flat_index(gallery)
    return lambda: torch.from_numpy(index.search(searches[:n].numpy(), K)[1])

KINDS = {'': {}, ' with a background': dict(background=strangers()), ' with a cohort': dict(cohort=20),
         ' by index': dict(approximate=True)}
SEARCHED = {f'{name}{kind}': (n, settings) for kind, settings in KINDS.items()
            for name, n in (('one search', 1), ('200 searches', SEARCHES))}
MULTIPLIED = {'one matrix product': 1, '200 matrix products': SEARCHES}
FAISS = {'one search by FAISS': 1, '200 searches by FAISS': SEARCHES}
ONCE = {'one more': one_more, 'index': lambda gallery, searches: gallery._index,
        'calibrate': lambda gallery, searches: gallery.calibrate(0.01),
        'save': lambda gallery, searches: gallery.save(FILE), 'load': lambda gallery, searches: Gallery.load(FILE)}
STEPS = ['build', 'add', *ONCE, *MULTIPLIED, *SEARCHED, *FAISS]
FILE = Path(tempfile.gettempdir())/'gallery_size.safetensors'

def ready(step, e, searches):
    "What a step does, without arguments, once all that comes before it is done."
    if step == 'build': return partial(built, e)
    if step == 'add': return partial(added, e)
    n, settings = SEARCHED.get(step, (0, dict(approximate=step == 'index')))
    gallery = built(e, **settings)
    if step == 'load': gallery.save(FILE)
    if step in ONCE: return partial(ONCE[step], gallery, searches)
    if step in FAISS: return ready_faiss(FAISS[step], gallery, searches)
    f = partial(searched, n) if n else partial(multiplied, MULTIPLIED[step])
    f(gallery, searches)
    return partial(f, gallery, searches)

def memory(what):
    "`VmRSS`, the memory of this process, or `VmHWM`, its peak, in megabytes."
    return int(re.search(rf'{what}:\s+(\d+)', Path('/proc/self/status').read_text())[1])/1024

def recall(found, e, searches):
    "Which part of the nearest is found."
    nearest = multiplied(len(found), built(e), searches)
    return (found[:, :, None] == nearest[:, None]).any(dim=1).float().mean().item()

def measured(n_people, step):
    "Seconds and megabytes of one step, in a process of its own."
    torch.set_num_threads(n_cores() if step == 'calibrate' else 1)
    warnings.simplefilter('ignore')
    e, searches = invented(n_people)
    f, repeats = ready(step, e, searches), max(3, min(REPEATS, 10**6 // n_people)) if step.startswith('one ') else 1
    if step == 'one more': repeats = 1
    Path('/proc/self/clear_refs').write_text('5') # the peak starts anew
    clock = time.perf_counter if step in ('calibrate', 'save', 'load') else time.process_time
    before, start = memory('VmRSS'), clock()
    for _ in range(repeats): found = f()
    seconds, peak = (clock() - start)/repeats, memory('VmHWM')
    return dict(people=n_people, photos=e.shape[0]*e.shape[1], step=step, seconds=float(f'{seconds:.3g}'),
                megabytes=round(peak - before), recall=recall(found, e, searches) if 'by index' in step else None)

def write(rows):
    "Put rows in the place of those that have the same number of people and step."
    file, key = Path('benchmarks/gallery_size.csv'), ['people', 'step']
    rows = pd.concat([pd.read_csv(file), rows]) if file.exists() else rows
    rows = rows[rows.step.isin(STEPS)].drop_duplicates(key, keep='last')
    rows = rows.sort_values(key, key=lambda c: c.map(STEPS.index) if c.name == 'step' else c)
    with atomic_write(file) as tmp: rows.to_csv(tmp, index=False)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--people', type=int, nargs='+', default=[10**i for i in range(2, 7)])
    parser.add_argument('--steps', nargs='+', default=STEPS, choices=STEPS)
    args = parser.parse_args()
    rows = []
    for n in args.people:
        for step in args.steps:
            if step == 'calibrate' and n > CALIBRATED or 'index' in step and n < INDEXED: continue
            with ProcessPoolExecutor(1, get_context('spawn')) as fresh:
                rows.append(fresh.submit(measured, n, step).result())
            print(rows[-1], flush=True)
    FILE.unlink(missing_ok=True)
    table = pd.DataFrame(rows)
    write(table)
    print(table.pivot(index='step', columns='people', values=['seconds', 'megabytes']).reindex(args.steps).to_string())

if __name__ == '__main__': main()
