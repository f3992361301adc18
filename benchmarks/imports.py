"""How long imports take, as multiples of `import torch`, measured in turn in fresh processes.

    python benchmarks/imports.py [--repeats 9] [--vs DIR]

DIR is another checkout, measured in the same turns where it has the modules. A ratio is the median over repeats in
which `import torch` was timed just before; seconds are medians too, without the start of the interpreter. A row for
each checkout and import goes to benchmarks/imports.csv.
"""
import argparse, os, re, subprocess, sys
from compileall import compile_dir
from pathlib import Path

import pandas as pd
from facereid_nb.data import atomic_write

HERE = Path(__file__).resolve().parent.parent
IMPORTS = {'model': 'import facereid_nb.model', 'infer': 'from facereid_nb.infer import Recognizer'}


def seconds(statement, checkout):
    "How long a statement takes in a fresh process that finds `facereid_nb` in a checkout, compiled as installed."
    compile_dir(checkout/'facereid_nb', quiet=1)
    code = f'import time; started = time.perf_counter(); {statement}; print(time.perf_counter() - started)'
    done = subprocess.run([sys.executable, '-P', '-W', 'ignore', '-c', code], check=True, text=True,
                          stdout=subprocess.PIPE, env=os.environ | dict(PYTHONPATH=str(checkout)))
    return float(done.stdout.split()[-1])


def turn(checkouts):
    "Each import of each checkout once, after `import torch`: a row for each."
    for name, checkout in checkouts.items():
        for module, statement in IMPORTS.items():
            if not (checkout/'facereid_nb'/f'{module}.py').exists(): continue
            torch, ours = (seconds(s, checkout) for s in ('import torch', statement))
            yield {'checkout': name, 'import': statement, 'ratio': ours/torch, 'seconds': ours, 'torch': torch}


def named(paths):
    "Checkouts by `this` or `other` and their version."
    versions = [re.search(r'"(.*)"', (path/'facereid_nb'/'__init__.py').read_text())[1] for path in paths]
    return {f'{name}, {version}': path for name, version, path in zip(('this', 'other'), versions, paths)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--repeats', type=int, default=9)
    parser.add_argument('--vs', type=Path, metavar='DIR', help='another checkout')
    args = parser.parse_args()
    checkouts = named([path.resolve() for path in (HERE, args.vs) if path])
    turns = [[*turn(checkouts)] for _ in range(args.repeats + 1)][1:] # In the first, files are read and compiled
    by = pd.DataFrame([row for rows in turns for row in rows]).groupby(['checkout', 'import'], sort=False)
    table = by.median().round(3).assign(repeats=args.repeats).reset_index()
    with atomic_write(Path('benchmarks/imports.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False))


if __name__ == '__main__': main()
