"""What the table of a study's trained cells (`results.csv`) says beyond its report: means over searches of all settings,
`semipartial` beside the other rules in the same searches (paired), and all of them beside random cells (Welch). Means
and standard errors in percentage points, 95 % intervals by Student's t.

    /usr/bin/python3 bench/compare_rules.py runs/nas-bench-201/results.csv
"""
import csv
import sys
from collections import defaultdict
from itertools import groupby

import numpy as np
from scipy.stats import t


def text(mean, error, freedom):
    reach = t.ppf(0.975, max(1, int(freedom))) * error
    return f"{mean:6.2f} ± {error:.2f} ({mean - reach:.2f} to {mean + reach:.2f})"


def of_mean(values):
    return np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5


def welch(a, b):
    (ma, ea), (mb, eb) = of_mean(a), of_mean(b)
    freedom = (ea**2 + eb**2) ** 2 / (ea**4 / (len(a) - 1) + eb**4 / (len(b) - 1))
    return text(ma - mb, (ea**2 + eb**2) ** 0.5, freedom)


random, cells = [], defaultdict(dict)
with open(sys.argv[1]) as file:
    for row in csv.DictReader(file):
        accuracy, search = 100 * float(row["accuracy"]), (row["node-norm"], row["search-seed"])
        if row["rule"] == "random":
            random.append(accuracy)
        else:
            cells[row["rule"]][search, int(row["after-epochs"])] = accuracy
random.sort()
learnt = [x for x in random if x > 20]  # ten classes: what guesses has 10 %
print("random cells:", *(f"{x:.2f}" for x in random))
print(f"those that learn ({len(learnt)}):", text(*of_mean(learnt), len(learnt) - 1))
for rule in (each for each in cells if each != "perturbation"):
    lengths = sorted({length for _, length in cells[rule]})
    for wanted in [lengths, *([length] for length in lengths)]:
        mean = {}
        for search, group in groupby(sorted(cells[rule]), key=lambda key: key[0]):
            kept = [key for key in group if key[1] in wanted]
            mean[search] = [np.mean([table[key] for key in kept]) for table in (cells[rule], cells["semipartial"])]
        own, base = map(np.array, zip(*mean.values()))
        print(f"{rule} after {wanted}:", text(*of_mean(own), len(own) - 1))
        if rule != "semipartial":
            print("    semipartial minus it:", text(*of_mean(base - own), len(own) - 1))
        print("    minus random cells that learn:", welch(own, learnt), f"; {sum(random < own.mean())} random cells are below")
