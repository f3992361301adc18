"""Rows of bench.py about galleries, and about how long an import takes."""
import re, subprocess, sys
from functools import partial

import numpy as np, torch, torch.nn.functional as F
from facereid_nb.gallery import Gallery, GallerySettings
from bench_rows import row
from imports import HERE, IMPORTS, seconds
from in_turn import compared, in_turn, race, shares

SIZE = 512 # Numbers in an embedding
SPREAD = torch.exp(-torch.arange(SIZE)/200) # As that of real embeddings, see gallery_size.py
FEW = dict(rounds=3, profiled=False) # Where every call takes seconds


def people(n, seed=0):
    "Embeddings of different people, `(n,SIZE)`."
    return F.normalize(SPREAD*torch.randn(n, SIZE, generator=torch.Generator().manual_seed(seed)))


def photographed(e, n):
    "Other photos of `n` of the people, with a median cosine of 0.67 to their embeddings."
    of = torch.linspace(0, len(e) - 1, n).long()
    return F.normalize(e[of] + 1.1*people(n, seed=1))


def enrolled(e, **settings):
    "A gallery of these people that has been searched before."
    gallery = Gallery('m', GallerySettings(**settings))
    gallery.add_photos(range(len(e)), e, 'm')
    gallery.search(e[:1], 'm', k=5)
    return gallery


def same_people(ours, theirs, least=.999):
    "What part of the five nearest of each search `(N,5)` is the same, in whatever order."
    recall = np.mean([len({*a} & {*b})/len(b) for a, b in zip(ours.tolist(), theirs.tolist())])
    return dict(same=bool(recall >= least), recall=recall)


def flat_index(e):
    "FAISS's exact index of embeddings, as its users make it."
    import faiss
    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatIP(SIZE)
    index.add(e.numpy())
    return index


def exact(setup, n_people, **how):
    "The five nearest of `n_people` for each of 200 searches at once."
    e = people(setup.n(n_people))
    searches, gallery, index = photographed(e, 200), enrolled(e), flat_index(e)
    def ours(): return gallery.search(searches, 'm', k=5)[1]
    def reference(): return index.search(searches.numpy(), 5)[1]
    return dict(answers=same_people(ours(), reference()), count=200, **race(ours, reference, **how))


FLAT = 'FAISS IndexFlatIP'

@row('search-20k', 'search, 200 of 20,000 people, top 5', FLAT, 'searches', needs=['faiss'], speed=1.5)
def search_20k(setup): return exact(setup, 20_000, rounds=setup.rounds)

@row('search-1m', 'search, 200 of 1,000,000 people, top 5', FLAT, 'searches', needs=['faiss'], speed=1.5)
def search_1m(setup): return exact(setup, 1_000_000, **FEW)


def one_search(setup, n_people, repeats):
    "The five nearest of one search, many times."
    gallery = enrolled(people(n_people))
    search, templates = photographed(gallery.embeddings, 1), gallery.templates
    def ours(): return gallery.search(search, 'm', k=5)[1]
    def reference(): return (search @ templates.T).topk(5)[1]
    def often(f):
        for _ in range(setup.n(repeats)): f()
    return dict(answers=same_people(ours(), reference()), count=setup.n(repeats),
                **race(partial(often, ours), partial(often, reference), setup.rounds))


ALONE = 'the matrix product and the top five alone'

@row('search-one-1k', 'one search of 1,000 people', ALONE, 'searches', speed=.7)
def search_one_1k(setup): return one_search(setup, 1000, 2000)

@row('search-one-20k', 'one search of 20,000 people', ALONE, 'searches', speed=.7)
def search_one_20k(setup): return one_search(setup, 20_000, 200)


@row('approximate-1m', 'approximate search, one of 1,000,000 people, top 5', FLAT, 'searches', needs=['faiss'],
     speed=20)
def approximate_1m(setup):
    e = people(setup.n(1_000_000))
    searches, gallery, index = photographed(e, 100), enrolled(e, approximate=True), flat_index(e)
    answers = same_people(gallery.search(searches, 'm', k=5)[1], index.search(searches.numpy(), 5)[1], least=.99)
    one_by_one = searches[::5].split(1)
    def ours(): return [gallery.search(one, 'm', k=5) for one in one_by_one]
    def reference(): return [index.search(one.numpy(), 5) for one in one_by_one]
    return dict(answers=answers, count=len(one_by_one), **race(ours, reference, **FEW))


def import_times(statement):
    "Seconds that each package takes in an import, without what it imports itself."
    done = subprocess.run([sys.executable, '-X', 'importtime', '-c', statement], check=True, text=True,
                          stderr=subprocess.PIPE, cwd=HERE)
    own = {}
    for micros, module in re.findall(r'import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)', done.stderr):
        own[module] = own.get(module, 0) + int(micros)/1e6
    return shares(own)


@row('import', 'from facereid_nb.infer import Recognizer', 'import torch', time=1.3)
def imported(setup):
    statements = dict(ours=IMPORTS['infer'], reference='import torch')
    ours, reference = (partial(seconds, statement, HERE) for statement in statements.values())
    pairs = in_turn(ours, reference, setup.rounds, timed=lambda f: f())
    return dict(measures=dict(time=compared(pairs, 'time')), rounds=setup.rounds,
                profile={side: import_times(statement) for side, statement in statements.items()})
