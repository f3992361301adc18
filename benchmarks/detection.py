"""How fast faces are found and aligned, beside facenet-pytorch's MTCNN, and whether they are the same.

    python benchmarks/detection.py [--shared DIR] [--photos 60] [--rounds 7] [--every 1]

DIR has data/lfw125. First the faces in every `--every`-th photo of it are compared: all of them, and the one that is
aligned. Then some photos are timed, as they are (250×250) and made into photos of 6 megapixels, on one core and in one
thread, in turn: `search` is photos in memory to faces, `align` is files to crops (the reference opens the file and
finds the faces, and cuts out none). Photos of 6 megapixels are searched reduced to 1280 pixels, so their faces are
compared with those that the reference finds in the reduced photo. A row for each goes to benchmarks/detection.csv:
ratios of wall time and of processor time are medians over the rounds, with quartiles; `memory` is the peak of a process
that has aligned the photos, in megabytes.
"""
import argparse, os, time
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np, pandas as pd
from PIL import Image
from facereid_nb.align import Alignment, align_images
from facereid_nb.data import atomic_write, open_image, read_items
from facereid_nb.detect import choose_face, detect_faces, face_detector, searched_size
from in_turn import compared, in_fresh_process, on_cores, peak_memory

LARGE = 3000, 2000


def mtcnn():
    from facenet_pytorch import MTCNN
    return MTCNN(keep_all=True, min_face_size=20, device='cpu').eval()


def enlarged(photos):
    "A photo of 6 megapixels of three others: a large one, and two half as high beside it."
    large = Image.new('RGB', LARGE)
    for photo, (x, y, side) in zip(photos, [(0, 0, 2000), (2000, 0, 1000), (2000, 1000, 1000)]):
        large.paste(photo.resize((side, side), Image.BICUBIC), (x, y))
    return large


def overlap(a, b):
    "Intersection over union of boxes `(N,4)` and `(M,4)`, `(N,M)`."
    sides = np.minimum(a[:, None, 2:], b[:, 2:]) - np.maximum(a[:, None, :2], b[:, :2])
    shared = sides.clip(min=0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (a, b)]
    return shared/(areas[0][:, None] + areas[1] - shared)


def as_arrays(faces):
    return np.array([f.box for f in faces]).reshape(-1, 4), np.array([f.landmarks for f in faces]).reshape(-1, 5, 2)


def difference(faces, theirs):
    "Faces that only one has found, the least overlap and the largest distance of landmarks: of all, and of the chosen."
    (boxes, points), none = as_arrays(faces), theirs[0] is None
    their_boxes = np.zeros((0, 4)) if none else theirs[0].astype(float)
    their_points = np.zeros((0, 5, 2)) if none else theirs[2].astype(float)
    if len(boxes) != len(their_boxes): return abs(len(boxes) - len(their_boxes)), 0., np.inf, 0., np.inf
    if not len(boxes): return 0, 1., 0., 1., 0.
    iou, apart = overlap(boxes, their_boxes), np.linalg.norm(points[:, None] - their_points, axis=3).max(axis=2)
    pair, chosen = iou.argmax(axis=1), choose_face(faces, (1, 1))
    iou, apart = iou.max(axis=1), apart[np.arange(len(pair)), pair]
    their_largest = (their_boxes[:, 2:] - their_boxes[:, :2]).prod(axis=1).argmax()
    if pair[chosen] != their_largest: return 0, iou.min(), apart.max(), 0., np.inf
    return 0, iou.min(), apart.max(), iou[chosen], apart[chosen]


def agreement(photos):
    "How often the faces in photos are those that the reference finds."
    ours, theirs = face_detector(20, 'cpu'), mtcnn()
    found = pd.DataFrame([difference(detect_faces([p], ours)[0], theirs.detect(p, landmarks=True)) for p in photos],
                         columns=['others', 'iou', 'apart', 'chosen_iou', 'chosen_apart'])
    def same(iou, apart): return ((iou >= .95) & (apart <= 1.5)).mean()
    return dict(compared=len(found), same_chosen=same(found.chosen_iou, found.chosen_apart),
                same_all=same(found.iou, found.apart), least_iou=found.iou.min(), landmarks_px=found.apart.max())


def timed(f):
    "Seconds by the clock and of the processor."
    wall, cpu = time.perf_counter(), time.process_time()
    f()
    return np.array([time.perf_counter() - wall, time.process_time() - cpu])


def race(ours, reference, n, rounds):
    "Ratios, and milliseconds per photo."
    pairs = np.empty((rounds, 2, 2))
    ours(), reference()
    for i in range(rounds):
        for side in ((0, 1), (1, 0))[i % 2]: pairs[i, side] = timed((ours, reference)[side])
    wall, cpu = compared(pairs[:, :, 0]), compared(pairs[:, :, 1])
    return dict(ratio=wall['ratio'], low=wall['low'], high=wall['high'], cpu_ratio=cpu['ratio'], cpu_low=cpu['low'],
                cpu_high=cpu['high'], ours_ms=1e3*cpu['ours']/n, reference_ms=1e3*cpu['reference']/n)


def search(photos, rounds):
    "Photos in memory to faces."
    ours, theirs = face_detector(20, 'cpu'), mtcnn()
    def reference(): return [theirs.detect(p, landmarks=True) for p in photos]
    return race(partial(detect_faces, photos, ours), reference, len(photos), rounds)


def align(paths, rounds):
    "Files to crops; the reference finds the faces, and cuts out none."
    ours, theirs = face_detector(20, 'cpu'), mtcnn()
    def reference(): return [theirs.detect(Image.open(p).convert('RGB'), landmarks=True) for p in paths]
    return race(partial(align_images, paths, Alignment(), ours), reference, len(paths), rounds)


def memory(paths):
    "The peak of a process that has aligned photos, opened one after the other."
    detector = face_detector(20, 'cpu')
    for path in paths: align_images([path], Alignment(), detector)
    return peak_memory()


def rows(paths, large_paths, every, rounds, lfw):
    small, large = ([open_image(p) for p in some] for some in (paths, large_paths))
    reduced = [p.resize(searched_size(p.size), Image.BICUBIC) for p in large]
    answers = {'250×250': agreement(open_image(p) for p in lfw.path[::every]), '6 megapixels': agreement(reduced)}
    for kind, photos, files, n in (('250×250', small, paths, rounds), ('6 megapixels', large, large_paths, 3)):
        peak = in_fresh_process(import_module('detection').memory, files, threads=1)
        for stage, found in (('search', search(photos, n)), ('align', align(files, n))):
            yield dict(photos=kind, stage=stage, **answers[kind], **found, timed=len(files), rounds=n, memory=peak)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--shared', type=Path, default=Path(os.environ.get('FACEREID_SHARED', 'shared')))
    for name, default in (('photos', 60), ('rounds', 7), ('every', 1)):
        parser.add_argument(f'--{name}', type=int, default=default)
    args = parser.parse_args()
    on_cores(1)
    lfw = read_items(args.shared/'data/lfw125/trainset.csv')
    paths = lfw.path[::max(1, len(lfw)//args.photos)][:args.photos].tolist()
    with TemporaryDirectory() as folder:
        large_paths = [f'{folder}/{i}.jpg' for i in range(4)]
        for i, path in enumerate(large_paths):
            enlarged([open_image(p) for p in paths[3*i:3*i + 3]]).save(path, quality=90)
        table = pd.DataFrame(rows(paths, large_paths, args.every, args.rounds, lfw))
    with atomic_write(Path(__file__).with_suffix('.csv')) as tmp: table.to_csv(tmp, index=False, float_format='%.4g')
    print(table.T.to_string())


if __name__ == '__main__': main()
