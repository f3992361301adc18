"""Networks run by different engines on one core, against PyTorch as everybody uses it, in turn in one run.

    python benchmarks/engines.py [--rounds 9] [--shared DIR]

PyTorch as it is, in batches of 32 in the default memory format, is the reference. Ratios are images per second as
multiples of its, by the time that the processor took, the median over rounds with quartiles; the cosine is the smallest
to its embedding of the same image. `ours` is what `embed` uses. DIR/weights holds ONNX files, which are left out where
they are not, and mobilefacenet.pt; other weights are random, and bfloat16 differs more from float32 for them than for
trained ones. A row for each network and engine goes to benchmarks/engines.csv.
"""
import argparse, copy, io, os, time
from pathlib import Path

import numpy as np, pandas as pd, torch, torch.nn.functional as F
from facereid_nb.backbones import create_backbone, folded_batch_norm, native_input
from facereid_nb.data import atomic_write
from facereid_nb.engine import _by_openvino, compiled

BATCH = 32
NETWORKS = 'inception_resnet_v1', 'resnext50_32x4d', 'mobilefacenet', 'edgeface_s'
FILES = 'w600k_mbf.onnx', 'edgeface_s_gamma_05.onnx'


def as_is(net, x): return net


def channels_last(net, x):
    "Channels-last, with batch norm folded into the layers before it."
    folded = folded_batch_norm(net, x[:1]).to(memory_format=torch.channels_last)
    return lambda x: folded(x.contiguous(memory_format=torch.channels_last))


def channels_last_bf16(net, x):
    run = channels_last(net, x)
    def cast(x):
        with torch.autocast('cpu', torch.bfloat16): return run(x).float()
    return cast


def onnx_runtime(net, x):
    import onnxruntime
    file, options = io.BytesIO(), onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    torch.onnx.export(net, (x[:2],), file, dynamo=False, input_names=['x'], output_names=['y'],
                      dynamic_axes=dict(x={0: 'n'}, y={0: 'n'}))
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=['CPUExecutionProvider'])
    return lambda x: torch.from_numpy(session.run(None, dict(x=x.numpy()))[0])


def openvino(kind):
    def prepared(net, x):
        run = _by_openvino(copy.deepcopy(net), x[:1], kind)
        return lambda x: torch.from_numpy(run(x.numpy())[0].copy())
    return prepared


ENGINES = {'PyTorch': as_is, 'PyTorch, channels last, folded': channels_last,
           'the same in bfloat16': channels_last_bf16, 'ONNX Runtime': onnx_runtime, 'OpenVINO': openvino('f32'),
           'OpenVINO, bfloat16': openvino('bf16'), 'ours': lambda net, x: compiled(net, x[:1]),
           'ours, reduced': lambda net, x: compiled(net, x[:1], 'reduced')}


def networks(shared):
    "Networks as their users have them, and how large their images are."
    for name in NETWORKS:
        if (trained := shared/'weights'/f'{name}.pt').exists():
            yield name, create_backbone(name, weights=trained).eval().to(memory_format=torch.contiguous_format), 112
            continue
        net = create_backbone(name, weights=None)
        for m in net.modules(): # As after some training, for random weights make all embeddings one
            if isinstance(m, torch.nn.BatchNorm2d): m.momentum = None
        with torch.no_grad(): net.train()(images(64, native_input(name)['size']))
        yield name, net.eval().to(memory_format=torch.contiguous_format), native_input(name)['size']
    for file in (shared/'weights'/name for name in FILES):
        if file.exists(): yield file.name, create_backbone(file).eval().to(memory_format=torch.contiguous_format), 112
        else: print(f'{file}: not there, so left out')


def images(n, size):
    "Random images with structure at all scales, in −1 to 1."
    scales = [F.interpolate(torch.randn(n, 3, s, s), size=(size, size), mode='bilinear') for s in (4, 16, 64)]
    return torch.stack(scales).sum(dim=0).tanh()


def engines(net, x):
    "Those that take a network, by name."
    for name, prepare in ENGINES.items():
        try: yield name, prepare(net, x)
        except Exception as e: print(f'{name}: {type(e).__name__}: {e}'.splitlines()[0])


def seconds(run, x):
    started = time.process_time()
    run(x)
    return time.process_time() - started


@torch.no_grad()
def compared(net, size, rounds):
    "A row for each engine."
    x = images(BATCH, size)
    runs = dict(engines(net, x))
    cosines = {name: F.cosine_similarity(run(x), net(x)).min().item() for name, run in runs.items()}
    took = pd.DataFrame([{name: seconds(run, x) for name, run in runs.items()} for _ in range(rounds)])
    ratios = took[['PyTorch']].to_numpy()/took
    for name in runs:
        low, ratio, high = np.quantile(ratios[name], (.25, .5, .75))
        yield dict(engine=name, ratio=ratio, low=low, high=high, images_per_second=BATCH/took[name].median(),
                   cosine=cosines[name])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--shared', type=Path, default=Path(os.environ.get('FACEREID_SHARED', '../shared')))
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = [dict(network=name, **row) for name, net, size in networks(args.shared)
            for row in compared(net, size, args.rounds)]
    table = pd.DataFrame(rows).round(6)
    with atomic_write(Path('benchmarks/engines.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False))


if __name__ == '__main__': main()
