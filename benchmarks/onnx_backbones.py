"""ONNX files as backbones, on lfw125 without any training: accuracy of each network on test and test_cctv, agreement
with ONNX Runtime on real crops, and speed beside the other backbones and ONNX Runtime.

    python benchmarks/onnx_backbones.py --data DIR --weights mobilefacenet.pt

The ONNX files are looked for beside the weights. DIR holds trainset.csv, eval_set.csv, public_labels.csv, train/, test/
and test_cctv/; crops go to --out, and those that are there are kept. Everybody is enrolled by the mean of the
embeddings of their training photos; thresholds are calibrated on those photos alone, but for the best accuracy, whose
threshold is chosen on the answers. Speed is that of networks with batch norm folded, as `embed` runs them, in multiples
of MobileFaceNet's, timed in turn with it. A row for each network goes to benchmarks/onnx_backbones.csv.
"""
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np, onnxruntime, pandas as pd, torch
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.backbones import create_backbone, folded_batch_norm, native_input
from facereid_nb.data import atomic_write
from facereid_nb.evaluate import at_threshold, dir_at, searches
from facereid_nb.model import ARCFACE, FaceModel, embed
from lfw125 import ALIGNMENT, arguments, enrol
from speed import embedding, ratio
from surveillance import aligned

MIRRORED = {'w600k_mbf'} # With the embedding of the mirror image
ONE_BY_ONE = {'edgeface_s_gamma_05'} # ONNX Runtime takes only one image at a time: so it is written in the file


def model(backbone, weights):
    "A backbone as it is, with the input that it takes."
    return FaceModel(replace(ARCFACE, backbone=backbone, weights=str(weights), align=ALIGNMENT, epochs=0,
                             **native_input(backbone, weights))).eval()


def accuracy(crops, tests, of):
    "The rates of a network whose embeddings of training photos and of each kind of test photos are in `of`."
    gallery, row = enrol(crops['gt'], of['train']), {}
    threshold = gallery.calibrate(0.01).threshold
    for part, items in tests.items():
        table = searches(gallery.scores(of[part], gallery.model_id), gallery.names, items['gt'])
        calibrated = at_threshold(table, threshold)
        row |= {f'{part} rank-1': calibrated['rank-1'], f'{part} accuracy': calibrated.accuracy,
                f'{part} FPIR': calibrated.FPIR, f'{part} DIR at FPIR 0.01': dir_at(table, 0.01),
                f'{part} best accuracy': max(at_threshold(table, t).accuracy for t in table.score)}
    return row


def session(path):
    "A file in ONNX Runtime, with as many threads as torch has."
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 3
    return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])


def run(session, x, at_once=True):
    "ONNX Runtime's embeddings, of all images at once or one by one."
    name, batches = session.get_inputs()[0].name, x.split(len(x) if at_once else 1)
    return torch.cat([torch.from_numpy(session.run(None, {name: b.numpy()})[0]) for b in batches])


def agreement(net, path, crops, n=64):
    "The least cosine between a network's embeddings of crops and those that ONNX Runtime makes of its file."
    x = net.preprocess(crops.path.iloc[np.linspace(0, len(crops) - 1, n).astype(int)])
    theirs = torch.nn.functional.normalize(run(session(path), x, path.stem not in ONE_BY_ONE))
    with torch.inference_mode(): return (net.embed(x)*theirs).sum(1).min().item()


def embedder(backbone, weights, batch):
    "A call that embeds random images with a network as `embed` runs it."
    net = create_backbone(backbone, weights=weights).eval()
    x = torch.rand(batch, 3, *[native_input(backbone, weights or 'pretrained')['size']]*2)
    return embedding(folded_batch_norm(net, x), x)


def speeds(files, weights, batch, repeats):
    "Embeddings per second of each network, and of ONNX Runtime with its file, as multiples of MobileFaceNet's."
    base, x = embedder('mobilefacenet', weights, batch), torch.rand(batch, 3, 112, 112)
    ours = {name: (name, None) for name in ('inception_resnet_v1', 'resnext50_32x4d', 'edgeface_s')}
    ours |= {path.stem: ('onnx', path) for path in files}
    rows = {'mobilefacenet': {'speed': 1.}}
    rows |= {name: {'speed': 1/ratio(embedder(*of, batch), base, repeats)[0]} for name, of in ours.items()}
    for path in files:
        theirs = partial(run, session(path), x, path.stem not in ONE_BY_ONE)
        rows[path.stem]['ONNX Runtime speed'] = 1/ratio(theirs, base, repeats)[0]
    return pd.DataFrame(rows).T


def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--repeats', type=int, default=7)
    args = parser.parse_args()

    started = time.time()
    def say(what): print(f'{what} ({time.time() - started:.0f} s)', flush=True)
    crops, tests = aligned(args, args.out/'crops', ALIGNMENT)
    say('aligned')
    files = sorted(args.weights.parent.glob('*.onnx'), reverse=True)
    networks = {'mobilefacenet': ('mobilefacenet', args.weights)} | {f.stem: ('onnx', f) for f in files}
    found, rows = {}, {}
    for name, of in networks.items():
        net = model(*of)
        found[name] = {part: embed(net, items.path, mirror=name in MIRRORED)
                       for part, items in {'train': crops, **tests}.items()}
        rows[name] = accuracy(crops, tests, found[name])
        if of[0] == 'onnx': rows[name]['least cosine with ONNX Runtime'] = agreement(net, of[1], tests['test_cctv'])
        say(name)
    if len(files) > 1:
        both = {part: torch.cat([found[f.stem][part] for f in files], 1)/len(files)**0.5 for part in found[name]}
        rows[' and '.join(f.stem for f in files)] = accuracy(crops, tests, both)
    table = pd.DataFrame(rows).T.join(speeds(files, args.weights, args.batch, args.repeats), how='outer')
    table = table.loc[[*rows, *table.index.difference(rows)]].rename_axis('network').reset_index()
    with atomic_write(Path('benchmarks/onnx_backbones.csv')) as tmp: table.round(6).to_csv(tmp, index=False)
    say(table.set_index('network').round(4).T.to_string())


if __name__ == '__main__': main()
