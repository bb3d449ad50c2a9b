"""Figures of docs/results.md that are in no table of a study's report, from its file of results:

    python3 bench/study_figures.py docs/studies/results/nas-bench-201.jsonl 1 5 20

What searches were after these epochs (their mean, standard error and 95 % interval by Student's t), how many operations
two rules keep in common in one search, how many they keep in common with the end of it, and what is kept.
"""
import itertools
import json
import statistics
import sys

from scipy.stats import t


def estimate(values):
    mean, n = statistics.mean(values), len(values)
    if n < 2:
        return f"{mean:.3f} (n = {n})"
    error = statistics.stdev(values) / n**0.5
    reach = t.ppf(0.975, n - 1) * error
    return f"{mean:.3f} ± {error:.3f}, {mean - reach:.3f} to {mean + reach:.3f} (n = {n})"


def operations(cell):
    return [choice for choice in cell.replace("+", "").split("|") if choice]


def in_common(a, b):
    a, b = operations(a), operations(b)
    return sum(x == y for x, y in zip(a, b)) / len(a)


path, *epochs = sys.argv[1:]
searches = [run for run in map(json.loads, open(path)) if run["kind"] == "search"]
epochs = [int(epoch) for epoch in epochs]
last = max(epochs)


def point(search, epoch):
    return next(each for each in search["epochs"] if each["epoch"] == epoch)


def cells(search, epoch):
    if epoch == last:
        return {each["rule"]: each["cell"] for each in search["cells"]}
    return point(search, epoch)["cells"]


def normalised(search):
    return point(search, last)["imbalance"]["after"] < 1.01


groups = {"rms": [s for s in searches if normalised(s)], "none": [s for s in searches if not normalised(s)]}
for epoch in epochs:
    print(f"\nafter epoch {epoch}")
    print("  imbalance before normalisation:", estimate([point(s, epoch)["imbalance"]["before"] for s in searches]))
    for name, of in groups.items():
        for key in ("none", "entropy"):
            print(f"  {key}, node-norm {name}:", estimate([point(s, epoch)[key] for s in of]))
    for pair in point(searches[0], epoch)["alike"]:
        now = [point(s, epoch)["alike"][pair] for s in searches]
        since = [b - point(s, epochs[0])["alike"][pair] for s, b in zip(searches, now)]
        print(f"  correlation, {pair}:", estimate(now), "; since then:", estimate(since))
    rules = list(cells(searches[0], epoch))
    for a, b in itertools.combinations(rules, 2):
        shared = [in_common(cells(s, epoch)[a], cells(s, epoch)[b]) for s in searches]
        print(f"  in common, {a} and {b}:", estimate(shared))
    for rule in rules:
        for end in (rule, "alpha-not-none"):
            kept = [in_common(cells(s, epoch)[rule], cells(s, last)[end]) for s in searches]
            print(f"  {rule}, in common with the end by {end}:", estimate(kept))
        for name, of in groups.items():
            ops = [op.split("~")[0] for s in of for op in operations(cells(s, epoch)[rule])]
            counts = {op: ops.count(op) for op in sorted(set(ops))}
            print(f"    {rule}, node-norm {name}, of {len(ops)}:", counts)
