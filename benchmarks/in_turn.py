"""Two ways to the same answer, timed in turn and profiled: what the benchmarks of speed share."""
import cProfile, os, pickle, pstats, re, resource, signal, subprocess, sys, time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np, torch

AT_MOST = ('time', 'memory') # These are ours as multiples of the reference; all others should be high
NO_MEMORY = 77 # How a process ends that has run out of it
EXPLAINED = 8 # Functions that a profile names; the others are summed


def seconds(f):
    "How long a call takes, on a GPU too."
    if torch.cuda.is_available(): torch.cuda.synchronize()
    started = time.perf_counter()
    f()
    if torch.cuda.is_available(): torch.cuda.synchronize()
    return time.perf_counter() - started


def in_turn(ours, reference, rounds, timed=seconds):
    "Seconds of both in each round, `(rounds,2)`, who goes first alternating; each was called once before."
    timed(ours), timed(reference)
    pairs = np.empty((rounds, 2))
    for i in range(rounds):
        for side in ((0, 1), (1, 0))[i % 2]: pairs[i, side] = timed((ours, reference)[side])
    return pairs


def compared(pairs, kind='speed'):
    "The median ratio of measures `(rounds,2)` of ours and the reference's, its quartiles, and both medians."
    pairs = np.asarray(pairs)
    ratios = pairs[:, 0]/pairs[:, 1] if kind in AT_MOST else pairs[:, 1]/pairs[:, 0]
    low, ratio, high = np.quantile(ratios, (.25, .5, .75)).tolist()
    ours, reference = np.median(pairs, axis=0).tolist()
    return dict(ratio=ratio, low=low, high=high, ours=ours, reference=reference)


def _called(place):
    "A function's name in a profile, short enough for a chart."
    file, _, name = place
    if file != '~': return f'{Path(file).stem}.{name}'
    builtin, method = re.search(r'built-in method ([\w.]+)>', name), re.search(r"'(\w+)' of '([\w.]+)'", name)
    if builtin: return '.'.join(builtin[1].split('.')[-2:])
    return f'{method[2].split(".")[-1]}.{method[1]}' if method else name


def shares(own):
    "Those of some seconds by name that are most, and the sum of the others."
    order, total = sorted(own, key=own.get, reverse=True), sum(own.values())
    top = {name: own[name] for name in order[:EXPLAINED] if own[name] >= total/100}
    return top | {'others': total - sum(top.values())}


def own_seconds(watched):
    "Seconds that each function itself took, those that took most, by name."
    own = {}
    for place, (_, _, itself, _, _) in pstats.Stats(watched).stats.items():
        own[_called(place)] = own.get(_called(place), 0) + itself
    return shares(own)


def profile(f):
    "`own_seconds` of a call."
    watched = cProfile.Profile()
    watched.runcall(f)
    return own_seconds(watched)


def race(ours, reference, rounds, profiled=True):
    "The speed of ours over the reference's, and where the time of both goes."
    found = dict(measures=dict(speed=compared(in_turn(ours, reference, rounds))), rounds=rounds)
    return found | (dict(profile=dict(ours=profile(ours), reference=profile(reference))) if profiled else {})


def on_cores(n):
    "Use the first `n` of the cores that this process may use, in as many threads; so do its children."
    if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n])
    torch.set_num_threads(n)


def in_fresh_process(f, *args, threads):
    "What a call gives in a process of its own on `threads` cores; raises `MemoryError` where the system ended it."
    env = os.environ | {name: str(threads) for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS')}
    with TemporaryDirectory() as tmp:
        call, found = Path(tmp, 'call'), Path(tmp, 'found')
        call.write_bytes(pickle.dumps((threads, f, args)))
        done = subprocess.run([sys.executable, '-W', 'ignore', __file__, call, found], env=env)
        if done.returncode in (-signal.SIGKILL, NO_MEMORY): raise MemoryError('there is too little memory')
        if done.returncode: raise RuntimeError('the process failed; its error is shown above')
        return pickle.loads(found.read_bytes())


@contextmanager
def within_memory():
    "End the process within the block where it asks for more than the machine has, before the system ends another."
    free = re.search(r'MemAvailable:\s+(\d+)', Path('/proc/meminfo').read_text()) if sys.platform == 'linux' else None
    if free: resource.setrlimit(resource.RLIMIT_DATA, (int(free[1])*1024,)*2)
    try: yield
    except (MemoryError, RuntimeError) as e:
        if isinstance(e, RuntimeError) and 'memory' not in str(e): raise
        sys.exit(NO_MEMORY)


def peak_memory():
    "The most memory that this process has had, in megabytes."
    status = Path('/proc/self/status') # There a fresh process starts anew, in `ru_maxrss` from its parent's peak
    if status.exists(): return int(re.search(r'VmHWM:\s+(\d+)', status.read_text())[1])/1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20


def answer(call, found):
    "The other side of `in_fresh_process`: from the file of a call to the file of what it gives."
    threads, f, args = pickle.loads(Path(call).read_bytes())
    on_cores(threads)
    Path(found).write_bytes(pickle.dumps(f(*args)))


if __name__ == '__main__': answer(*sys.argv[1:])
