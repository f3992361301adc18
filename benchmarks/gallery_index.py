"""Which index for a gallery of very many people?

    pip install usearch faiss-cpu
    python benchmarks/gallery_index.py

People and searches of gallery_size.py, one embedding each, on one thread. A row for each index and setting goes to
benchmarks/gallery_index.csv: seconds to build it, megabytes that it takes, seconds of a search (of 200 at once, with
the nearest 50 to 600 compared exactly), and which part of the five nearest it finds. `usearch` is a graph (HNSW) of
bfloat16 embeddings; `expansion` is how many people a search of it goes through. `FAISS` is what galleries have: codes
of 4 bits for every two of 192 numbers. `IVF` puts people into 1,024 lists first, of which a search reads some.
"""
import argparse, time
from pathlib import Path

import faiss, numpy as np, pandas as pd, torch
from usearch.index import Index
from facereid_nb.data import atomic_write
from gallery_size import K, SIZE, invented, memory

def built(make):
    "An index with the seconds and megabytes that it took."
    before, started = memory('VmRSS'), time.perf_counter()
    index = make()
    return index, round(time.perf_counter() - started, 1), round(memory('VmRSS') - before)

def graph(e):
    index = Index(ndim=SIZE, metric='ip', dtype='bf16', connectivity=16, expansion_add=128)
    index.add(np.arange(len(e)), e, threads=1)
    return index

def codes(e, spec):
    index = faiss.index_factory(SIZE, spec, faiss.METRIC_INNER_PRODUCT)
    index.train(e[:2**16])
    index.add(e)
    return index

def compared_exactly(e, searches, suggested):
    "The nearest of those that an index suggests."
    cosines = (e[suggested] @ searches[:, :, None])[..., 0]
    return np.take_along_axis(suggested, np.argsort(-cosines, axis=1)[:, :K], axis=1)

def row(name, setting, cost, find, e, searches, nearest):
    "How fast and how often an index finds the nearest."
    started = time.perf_counter()
    found = compared_exactly(e, searches, find(searches))
    seconds = (time.perf_counter() - started)/len(searches)
    same = (found[:, :, None] == nearest[:, None]).any(axis=1)
    return dict(index=name, setting=setting, people=len(e), build=cost[0], megabytes=cost[1],
                search=float(f'{seconds:.3g}'), recall=same.mean().round(4))

def rows(e, searches):
    nearest = (torch.from_numpy(searches) @ torch.from_numpy(e).T).topk(K).indices.numpy()
    tested = e, searches, nearest
    index, *cost = built(lambda: graph(e))
    for expansion in (128, 512, 2048):
        index.expansion_search = expansion
        yield row('usearch', f'expansion {expansion}', cost,
                  lambda s: index.search(s, 50, threads=1).keys.astype(int), *tested)
    index, *cost = built(lambda: codes(e, 'PCAR192,PQ96x4fs'))
    for n in (100, 600): yield row('FAISS', f'{n} compared', cost, lambda s: index.search(s, n)[1], *tested)
    index, *cost = built(lambda: codes(e, 'PCAR192,IVF1024,PQ96x4fs'))
    for lists in (64, 256):
        faiss.extract_index_ivf(index).nprobe = lists
        yield row('FAISS, IVF', f'{lists} lists, 600 compared', cost, lambda s: index.search(s, 600)[1], *tested)

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--people', type=int, default=100_000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    e, searches = invented(args.people, photos=1)
    table = pd.DataFrame(rows(e[:, 0].numpy(), searches.numpy()))
    with atomic_write(Path('benchmarks/gallery_index.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string())

if __name__ == '__main__': main()
