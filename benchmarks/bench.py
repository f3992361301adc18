"""This library beside what people use today, stage by stage.

    make bench
    python benchmarks/bench.py --data DIR --weights mobilefacenet.pt [--rows detect search-20k …]

Every row has a process of its own, on the first --threads cores. It first checks that ours and the reference give the
same answer; then both are timed in turn, warm, who goes first alternating. The ratio is the median over rounds of both
times of a round, in brackets its quartiles: how many times as fast ours is, or, of time and memory, how many times as
much it needs. Afterwards both are profiled once. `same answer` tells whether they agree as well as is asked.

Photos are those of lfw125, drawn faces where they are not there; networks but MobileFaceNet have random weights. Where
a reference is not installed, or there is no GPU, the row says so. Results go to benchmarks/bench.json, where rows that
don't run now stay as they are.
"""
import json, platform, re, sys, time
from importlib import metadata
from pathlib import Path

import pandas as pd, torch
import bench_faces, bench_search, bench_training # noqa: F401, they declare rows
from bench_rows import ROWS, absent
from bench_setup import Setup
from facereid_nb import __version__
from facereid_nb.data import atomic_write, n_cores, progress
from in_turn import AT_MOST, in_fresh_process
from lfw125 import arguments

OUT = Path('benchmarks/bench.json')
VERSIONS = ('torch', 'facenet-pytorch', 'fastai', 'faiss-cpu', 'pytorch-metric-learning', 'openvino', 'onnxruntime')


def version(package):
    "Of an installed package; None where it is not installed."
    try: return metadata.version(package)
    except metadata.PackageNotFoundError: return None


def processor():
    "Its name."
    about = Path('/proc/cpuinfo')
    names = re.findall(r'model name\s*:\s*(.+)', about.read_text()) if about.exists() else []
    return names[0] if names else platform.processor()


def machine():
    "What the figures depend on."
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return dict(facereid_nb=__version__, processor=processor(), cores=n_cores(), gpu=gpu,
                python=platform.python_version(), versions={name: version(name) for name in VERSIONS})


def outcome(name, setup):
    "All that is stored of a row."
    row, started = ROWS[name], time.perf_counter()
    try: found = absent(row) or in_fresh_process(row.run, setup, threads=setup.threads)
    except (MemoryError, RuntimeError) as e: found = dict(failed=f'{e}')
    about = dict(what=row.what, reference=row.reference, unit=row.unit, goals=row.goals, threads=setup.threads,
                 small=setup.small)
    return about | found | dict(took=round(time.perf_counter() - started, 1))


def is_met(measure, ratio, goal): return ratio <= goal if measure in AT_MOST else ratio >= goal


def short(number): return f'{number:.{2 if number < 100 else 0}f}'


def lines(result):
    "The lines of the table for one result, one for each measure."
    what, gap = {'what': result['what'], 'reference': result['reference']}, result.get('absent') or result.get('failed')
    if gap: return [what | {'ratio': gap}]
    agree = {True: 'yes', False: 'NO', None: ''}[result.get('answers', {}).get('same')]
    return [what | line(measure, result['goals'][measure], of) | {'same answer': agree}
            for measure, of in result['measures'].items()]


def line(measure, goal, of):
    "What the table says of one measure."
    spread = f' [{short(of["low"])}, {short(of["high"])}]' if 'low' in of else ''
    sign, met = '≤' if measure in AT_MOST else '≥', is_met(measure, of['ratio'], goal)
    return {'measure': measure, 'ratio': short(of['ratio']) + spread, 'asked for': f'{sign} {goal}',
            'met': 'yes' if met else 'no'}


def table(results):
    "All results as people read them."
    return pd.DataFrame([line for result in results for line in lines(result)]).fillna('')


def stored(path):
    "What is in the file already, by row."
    return json.loads(path.read_text())['rows'] if path.exists() else {}


def as_json(value):
    "What JSON doesn't know: numpy's numbers."
    return value.item()


def write(path, results):
    "Put results in the file, in the order of the rows."
    rows = stored(path) | results
    with atomic_write(path) as tmp:
        tmp.write_text(json.dumps(dict(machine=machine(), rows={name: rows[name] for name in ROWS if name in rows}),
                                  indent=1, default=as_json, ensure_ascii=False) + '\n')


def main():
    parser = arguments(__doc__)
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=[*ROWS], metavar='ROW', help=', '.join(ROWS))
    parser.add_argument('--threads', type=int, default=1, help='of every way (default: 1)')
    parser.add_argument('--rounds', type=int, default=4, help='of timing, where a call is not too long for so many')
    parser.add_argument('--small', action='store_true', help='a tenth of the work, to see whether all runs')
    parser.add_argument('--out', type=Path, default=OUT)
    args = parser.parse_args()
    setup, results = Setup(args.data.resolve(), args.weights.resolve(), args.threads, args.rounds, args.small), {}
    for name in (bar := progress(args.rows, desc='Benchmark', unit=' rows', mininterval=1)):
        bar.set_postfix_str(name)
        results[name] = outcome(name, setup)
        write(args.out, results)
    print(table(results.values()).to_string(index=False))
    if any('failed' in result for result in results.values()): sys.exit('Some rows failed')


if __name__ == '__main__': main()
