"""Tracks in drawn videos whose truth is known: how pure they are, and how often they are named right beside single
frames.

    python benchmarks/video.py

Five of eight drawn people are enrolled, and two of them and three strangers walk through ten seconds of a picture, with
little noise and with much. Ten videos are for choosing, ten others, with other people, for what is reported. Faces are
found once; then they are followed with boxes alone, with what tells unlike faces apart, and with what finds faces again
too, at 12.5 frames per second and at fewer. A row for each goes to benchmarks/video.csv:

- `tracks`: tracks a video, of five people
- `mixed`: fraction of the tracks with faces of several people
- `wrong faces`: fraction of the faces that are in a track which is mostly of somebody else
- `in tracks`: fraction of the faces found that are in any track
- `frames right`, `tracks right`: of the faces in tracks, how many are named or refused right, by their frame alone
  and by their track
- `frames FPIR`, `tracks FPIR`: of the strangers' faces in tracks, how many are given a name

The speed of watching one of them with a published network goes to benchmarks/video_speed.csv, in frames per second of
processor time and one thread, beside that of finding faces and of embedding them alone. With --hours it is watched over
and over, and the memory of the process goes to benchmarks/video_memory.csv.
"""
import os, tempfile, time, warnings
from pathlib import Path

import numpy as np, pandas as pd, torch
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import align_all
from facereid_nb.data import UNKNOWN, atomic_write, progress, read_items
from facereid_nb.gallery import Gallery, embed_background
from facereid_nb.infer import Recognizer
from facereid_nb.model import embed_with_quality, load_model, FaceModel
from facereid_nb.samples import make_faces, make_video
from facereid_nb.video import Frame, _Record, _Watcher, _looked_at, read_frames, watch
from lfw125 import arguments, mobilefacenet

CAST, KNOWN, FPS, FPIR = (0, 1, 5, 6, 7), 5, 12.5, 0.05
STEPS, NOISES = (1, 2, 4), (3., 30.)
WAYS = {'boxes alone': (-2., 2.), 'and unlike faces apart': (None, 2.), 'and like faces together': (None, None)}
BOX = ['x1', 'y1', 'x2', 'y2']


def recognizer_of(model, folder, seed):
    "A recognizer of five of the people who are drawn with a seed, calibrated with 100 others."
    def drawn(name, n, n_train, seed):
        made = make_faces(folder/f'{name} {seed}', n_people=n, n_train=n_train, n_test=0, n_strangers=0, seed=seed)
        return read_items(made/'trainset.csv')
    crops = folder/'crops'
    gallery = Gallery.build(model, drawn('known', KNOWN, 5, seed), mirror=True, crops_dir=crops/str(seed))
    gallery.use_background(embed_background(model, drawn('others', 100, 1, 1000), crops_dir=crops/'others'), model.id)
    gallery.calibrate(FPIR, n_bootstrap=2)
    return Recognizer(model, gallery)


def overlap(a, b):
    "Intersection over union `(N,M)` of boxes."
    low, high = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    def area(x): return (x[..., 2:] - x[..., :2]).prod(-1)
    common = (high - low).clip(0).prod(-1)
    return common/(area(a)[:, None] + area(b) - common)


def whose(matches, true):
    "For each face the row of the truth `(F,)` that it is, -1 for nobody."
    if not matches or not len(true): return np.full(len(matches), -1)
    shared = overlap(np.array([m.box for m in matches]), true[BOX].to_numpy())*(true.visible > 0.3).to_numpy()
    return np.where(shared.max(1) > 0.3, shared.argmax(1), -1)


def filmed(recognizer, folder, noise, seed, take):
    "Frames, their faces and the truth of a drawn video."
    path = folder/f'{seed} {take} {noise}.mp4'
    truth = make_video(path, CAST, KNOWN, 10., FPS, noise=noise, seed=seed, take=take)
    frames = list(read_frames(path))
    matches = [m for i in range(0, len(frames), 8)
               for m in recognizer([f.image for f in frames[i:i + 8]], faces='all')]
    return frames, matches, [truth[truth.frame == n] for n in range(len(frames))]


def followed(recognizer, film, step, limits):
    "A row for each face: track, name of the track, of the frame, and the truth."
    watcher, rows, names = _Watcher(recognizer, patience=1., min_frames=3), [], {}
    watcher.limits = tuple(given if given is not None else own for given, own in zip(limits, watcher.limits))
    for frame, matches, true in list(zip(*film))[::step]:
        names |= {t.id: t.name for t in watcher.gone(frame.time)}
        seen = watcher.see(frame, matches)
        for m, t, i in zip(matches, seen, whose(matches, true)):
            if i >= 0: rows.append((t.id, m.name, true.person.iloc[i], true['gt'].iloc[i]))
    names |= {t.id: t.name for t in watcher.gone(np.inf)}
    table = pd.DataFrame(rows, columns=['track', 'alone', 'person', 'gt'])
    return table.assign(together=table.track.map(names))


def rates(faces):
    "What a video comes to."
    there = faces.dropna(subset='together')
    main = there.groupby('track').person.transform(lambda people: people.mode()[0])
    stranger = there['gt'] == UNKNOWN
    return {'tracks': there.track.nunique(), 'mixed': (there.groupby('track').person.nunique() > 1).mean(),
            'wrong faces': (main != there.person).mean(), 'in tracks': len(there)/len(faces),
            'frames right': (there.alone == there['gt']).mean(), 'tracks right': (there.together == there['gt']).mean(),
            'frames FPIR': (there.alone[stranger] != UNKNOWN).mean(),
            'tracks FPIR': (there.together[stranger] != UNKNOWN).mean()}


def accuracy(model, folder, takes, noise):
    "Mean rates by way and frames per second."
    rows = []
    for seed, take in progress(takes, desc=f'noise {noise:g}'):
        recognizer = recognizer_of(model, folder, seed)
        film = filmed(recognizer, folder, noise, seed, take)
        rows += [{'noise': noise, 'followed by': way, 'fps': FPS/step} | rates(followed(recognizer, film, step, limits))
                 for way, limits in WAYS.items() for step in STEPS]
    return pd.DataFrame(rows).groupby(['noise', 'followed by', 'fps'], sort=False).mean().reset_index()


def timed(what):
    "Processor seconds of one call."
    start = time.process_time()
    what()
    return time.process_time() - start


def speed(args, folder):
    "Frames per second of watching, of finding faces, and of embedding them, with MobileFaceNet."
    model = FaceModel(mobilefacenet(args.weights, epochs=0)).eval()
    recognizer, path = recognizer_of(model, folder, 0), folder/'speed.mp4'
    make_video(path, CAST, KNOWN, 10., FPS)
    images = [f.image for f in read_frames(path)]
    list(watch(path, recognizer, fps=1)) # Imports what it needs
    crops = [c.image for of in align_all(images, recognizer.alignment, recognizer.detector) for c in of]
    seconds = {
        'watching': timed(lambda: list(watch(path, recognizer))),
        'reading': timed(lambda: list(read_frames(path))),
        'finding and aligning faces': timed(lambda: align_all(images, recognizer.alignment, recognizer.detector)),
        'embedding them, with quality': timed(lambda: embed_with_quality(model, crops, True, num_workers=0))}
    table = pd.Series(seconds).rename_axis('what').reset_index(name='seconds')
    return table.assign(**{'frames per second': len(images)/table.seconds, 'faces per frame': len(crops)/len(images)})


def megabytes():
    "Memory of this process that is in use."
    return int(Path('/proc/self/statm').read_text().split()[1])*os.sysconf('SC_PAGE_SIZE')/1e6


def memory(model, folder, hours):
    "Memory after each tenth of so many hours of a video that repeats itself."
    recognizer, path, rows = recognizer_of(model, folder, 0), folder/'memory.mp4', []
    make_video(path, CAST, KNOWN, 10., FPS)
    frames = list(read_frames(path))
    n = round(hours*3600*FPS)
    repeated = (Frame(i/FPS, frames[i % len(frames)].image) for i in range(n))
    def noted():
        for i, frame in enumerate(repeated):
            if i % (n//10) == n//10 - 1:
                rows.append({'minutes': i/FPS/60, 'MB': megabytes(), 'running': len(watcher.running)})
            yield frame
    settings = [['repeated'], [], None, False, 1., 3]
    watcher = _Watcher(recognizer, patience=1., min_frames=3)
    for n_tracks, _ in enumerate(_looked_at(noted(), watcher, _Record(folder/'memory', settings, 5., False), 8)): pass
    return pd.DataFrame(rows).assign(tracks=n_tracks + 1)


def written(name, table):
    with atomic_write(Path(f'benchmarks/{name}.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False), flush=True)


def main():
    parser = arguments(__doc__)
    parser.add_argument('--choose', action='store_true', help='the videos for choosing, and nothing is written')
    parser.add_argument('--hours', type=float, help='watch a video of so many hours, and nothing else')
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    model = load_model('nbs/appendix/drawn_faces.safetensors', 'cpu')
    takes = [(seed, 0) for seed in (range(100, 110) if args.choose else range(200, 210))]
    with tempfile.TemporaryDirectory() as folder:
        if args.hours: return written('video_memory', memory(model, Path(folder), args.hours).round(1))
        table = pd.concat([accuracy(model, Path(folder), takes, noise) for noise in NOISES]).round(3)
        if args.choose: return print(table.to_string(index=False))
        written('video', table)
        if args.weights.exists(): written('video_speed', speed(args, Path(folder)).round(3))


if __name__ == '__main__': main()
