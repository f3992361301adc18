"""Faces of people without a name put into groups: real faces, by three networks, beside clustering as it is often done.

    python benchmarks/groups.py --models w600k_mbf.onnx edgeface_s_gamma_05.onnx mobilefacenet.pt

Models are published networks (.onnx, .pt) or saved models, without any training here. Three parts of the people are
used once each: of 600 people of `others`, a photo each, is the background; 600 more and half of lfw125's people, with
their training photos, are what ways of grouping are chosen on; the rest is measured. `others` has one to four photos of
each, three quarters of its people a single one; lfw125 has some fifteen of each. A third set has both. In a second kind
of photos half of all are degraded by the camera of the library, in the background too.

Ways: average linkage at the threshold for a rate of wrong merges, and, with the same threshold, complete and single
linkage (DBSCAN with two faces is that); average linkage on scores relative to the background; DBSCAN at a cosine
distance of 0.4; HDBSCAN; average linkage of faces that come in twenty batches. A row for each network, kind, part and
way goes to benchmarks/groups.csv, means over --draws divisions of the people.

benchmarks/groups_rate.csv has the measured rate of wrong merges for targets, numbers of faces and of people in the
background, with strangers of a photo each; benchmarks/groups_size.csv what grouping costs, with invented embeddings.
"""
import resource, time, warnings
from multiprocessing import get_context
from pathlib import Path

import numpy as np, pandas as pd, torch, torch.nn.functional as F
from facereid_nb.align import align_faces
from facereid_nb.augment import Camera
from facereid_nb.data import atomic_write, open_image, read_items
from facereid_nb.gallery import t_norm
from facereid_nb.group import Groups, grouping_measures, least_rate, merge_threshold
from facereid_nb.model import embed
from lfw125 import arguments
from unseen_people import WITH_MARGIN, models_of, seen_by

RATES, N_BACKGROUND, N_CHOICE, BATCHES = (0.01, 0.03, 0.1), 600, 600, 20
KINDS = 'good', 'half degraded'
SIZES = 1000, 3000, 10_000


def both_kinds(model, crops):
    "Embeddings `(2,N,D)` of crops as they are, and degraded."
    return torch.stack([embed(model, seen_by(model, crops), mirror=True, camera=camera) for camera in (None, Camera())])


def photos_of(args):
    "Crops with a margin and who they are, of `others` and of lfw125's training photos."
    found = []
    for name, source in (('others', args.others), ('lfw125', args.data/'trainset.csv')):
        crops = align_faces(read_items(source), args.out/f'groups {name}', WITH_MARGIN)
        found.append((np.stack([open_image(path) for path in crops.path]), crops['gt'].to_numpy()))
    return found


def taken(embeddings, rows, kind, rng):
    "`(N,D)` of some photos, as they are or half of them degraded."
    degraded = rng.random(len(rows)) < 0.5*(kind != 'good')
    return embeddings[degraded.astype(int), rows]


def divided(others, lfw125, kind, seed):
    "Background, and embeddings and people of each part."
    (of_others, people), (of_lfw, lfw_people) = others, lfw125
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.unique(people))
    for_background, for_choice = order[:N_BACKGROUND], order[N_BACKGROUND:N_BACKGROUND + N_CHOICE]
    first = np.unique(people, return_index=True)[1][np.isin(np.unique(people), for_background)]
    background = of_others[:1 if kind == 'good' else 2, first]
    half = np.isin(lfw_people, rng.permutation(np.unique(lfw_people))[:len(np.unique(lfw_people))//2])
    choice, rest = np.isin(people, for_choice), ~np.isin(people, order[:N_BACKGROUND + N_CHOICE])
    def part(rows, lfw_rows):
        rows, lfw_rows = np.flatnonzero(rows), np.flatnonzero(lfw_rows)
        e = [taken(of_others, rows, kind, rng), taken(of_lfw, lfw_rows, kind, rng)]
        return torch.cat(e), np.r_[people[rows], lfw_people[lfw_rows]]
    nobody, no_lfw = np.zeros(len(people), bool), np.zeros(len(lfw_people), bool)
    return background, {'choice': part(choice, half), 'others': part(rest, no_lfw), 'lfw125': part(nobody, ~half),
                        'both': part(rest, ~half)}


def linked(distances, linkage, threshold):
    "scikit-learn's agglomerative clustering of everything at once."
    from sklearn.cluster import AgglomerativeClustering
    how = dict(n_clusters=None, metric='precomputed', linkage=linkage)
    return AgglomerativeClustering(distance_threshold=threshold, **how).fit_predict(distances)


def alone(labels):
    "Labels in which faces in no cluster are one each."
    return np.where(labels < 0, labels.max() + 1 + np.arange(len(labels)), labels)


def usual_ways(embeddings):
    "Clusters as they are often made: DBSCAN at a cosine distance of 0.4, and HDBSCAN."
    from sklearn.cluster import DBSCAN, HDBSCAN
    return {'DBSCAN, distance 0.4': DBSCAN(eps=0.4, min_samples=2, metric='cosine').fit_predict(embeddings),
            'HDBSCAN': HDBSCAN(min_cluster_size=2, copy=True).fit_predict(embeddings)}


def relative(cosines, level, level_of_others, usual):
    "Cosines relative to the background, for both faces of each pair."
    mean, deviation = level_of_others
    return (t_norm(cosines, *level, usual) + t_norm(cosines, mean.T, deviation.T, usual))/2


def relative_way(embeddings, background, rate):
    "Average linkage on scores relative to the background, at the threshold for the rate on this scale."
    faces, people = background.flatten(0, 1), torch.arange(background.shape[1]).repeat(len(background))
    def level(e): return (e @ background[0].T).mean(1, keepdim=True), (e @ background[0].T).std(1, keepdim=True)
    usual = tuple(of[:background.shape[1]].mean() for of in level(faces))
    strangers = relative(faces @ faces.T, level(faces), level(faces), usual)[people[:, None] != people].sort().values
    threshold = merge_threshold(strangers, max(rate, least_rate(background.shape[1], len(embeddings))), len(embeddings))
    scores = relative(embeddings @ embeddings.T, level(embeddings), level(embeddings), usual)
    return linked(4 - scores.double().numpy(), 'average', 4 - threshold)


def in_batches(embeddings, background, rng):
    "Groups of faces that come in batches, in a random order."
    groups, order = Groups('', background), rng.permutation(len(embeddings))
    for rows in np.array_split(order, BATCHES): groups.add(embeddings[rows], '')
    labels = np.empty(len(order), dtype=int)
    labels[order] = groups.faces.group
    return labels


def our_ways(embeddings, background, rng):
    "Clusters with thresholds for rates of wrong merges."
    found = {}
    for rate in RATES:
        groups = Groups('', background, rate)
        found[f'average linkage, rate {rate:g}'] = groups.add(embeddings, '')
    groups = Groups('', background, RATES[0])
    groups.add(embeddings, '')
    distances = (1 - embeddings @ embeddings.T).double().numpy()
    for linkage in ('complete', 'single'):
        found[f'{linkage} linkage, rate {RATES[0]:g}'] = linked(distances, linkage, 1 - groups.threshold)
    found[f'relative to the background, rate {RATES[0]:g}'] = relative_way(embeddings, background, RATES[0])
    found[f'in batches, rate {RATES[0]:g}'] = in_batches(embeddings, background, rng)
    return found


def measure(others, lfw125, kind, seed):
    "A row for each part and way of one division of the people."
    rng, rows = np.random.default_rng(seed), []
    background, parts = divided(others, lfw125, kind, seed)
    for part, (embeddings, people) in parts.items():
        usable = embeddings.isfinite().all(dim=1)
        embeddings, people = embeddings[usable], people[usable.numpy()]
        supported = max(RATES[0], least_rate(background.shape[1], len(people)))
        for way, labels in (our_ways(embeddings, background, rng) | usual_ways(embeddings.numpy())).items():
            rows.append(dict(photos=kind, part=part, way=way, faces=len(people), supported=supported,
                             **grouping_measures(alone(labels), people)))
    return rows


def measured_rates(others, seed, targets=(0.01, 0.03, 0.1), people=(300, 600, 1200), faces=(100, 400, 1200)):
    "Measured rates of wrong merges among strangers with one photo each."
    embeddings, names = others[0][0], others[1]
    first = np.random.default_rng(seed).permutation(np.unique(names, return_index=True)[1])
    first, rows = first[embeddings[first].isfinite().all(dim=1).numpy()], []
    for n_people in people:
        background = embeddings[first[:n_people]][None]
        for n in faces:
            for target in targets:
                if target < least_rate(n_people, n): continue
                groups = Groups('', background, target)
                groups.add(embeddings[first[-n:]], '')
                sizes = groups.faces.group.map(groups.faces.group.value_counts())
                rows.append({'background': n_people, 'faces': n, 'target': target, 'measured': (sizes > 1).mean()})
    return rows


def cost(n):
    "Seconds of processor time and gigabytes of n faces, of people with ten faces each."
    torch.manual_seed(0)
    people = torch.randn(n//10, 512).repeat_interleave(10, 0)
    embeddings, background = F.normalize(people + 0.7*torch.randn(n, 512)), F.normalize(torch.randn(1000, 512))[None]
    groups, empty = Groups('', background), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    groups.add(embeddings, '')
    all_at_once, memory = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    groups.add(embeddings[:1], '')
    return {'faces': n, 'seconds': all_at_once, 'seconds for one more': time.process_time() - started,
            'GB more': (memory - empty)/2**20, 'groups': len(groups)}


def write(table, name):
    with atomic_write(Path(f'benchmarks/{name}.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False), flush=True)


def main():
    parser = arguments(__doc__)
    parser.add_argument('--others', type=Path, help='default: others.csv beside the folder of --data')
    parser.add_argument('--models', nargs='+', metavar='FILE[+FILE]')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'), help='crops there are kept')
    parser.add_argument('--draws', type=int, default=2)
    args = parser.parse_args()
    args.others = args.others or args.data.parent/'others'/'others.csv'
    warnings.simplefilter('ignore')
    with get_context('spawn').Pool(1, maxtasksperchild=1) as pool: sizes = pool.map(cost, SIZES, chunksize=1)
    write(pd.DataFrame(sizes).round(3), 'groups_size')
    (other_crops, other_people), (lfw_crops, lfw_people) = photos_of(args)
    tables, rates = [], []
    for text in args.models or [str(args.weights)]:
        name, model = models_of(text)
        others, lfw125 = (both_kinds(model, other_crops), other_people), (both_kinds(model, lfw_crops), lfw_people)
        rows = [row for kind in KINDS for seed in range(args.draws) for row in measure(others, lfw125, kind, seed)]
        tables.append(pd.DataFrame(rows).groupby(['photos', 'part', 'way'], sort=False).mean().reset_index())
        tables[-1].insert(0, 'network', name)
        rows = [row for seed in range(6*args.draws) for row in measured_rates(others, seed)]
        rates.append(pd.DataFrame(rows).groupby(['background', 'faces', 'target']).mean().reset_index())
        rates[-1].insert(0, 'network', name)
        write(pd.concat(tables).round(4), 'groups')
        write(pd.concat(rates).round(4), 'groups_rate')


if __name__ == '__main__': main()
