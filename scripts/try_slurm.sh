#!/bin/bash
# Tries deploy/slurm_array.sh on a real Slurm of one machine: an array of four tasks works at a small study, two of them
# are killed with -9 while they are at a run, and in the end every run must have been finished exactly once, and a
# study that one process does by itself must have the same results. Not a part of CI.
#
#   sudo apt-get install slurm-wlm munge
#   bash scripts/try_slurm.sh          # as root: it starts munged, slurmctld and slurmd with files of its own, and stops them
set -euo pipefail
cd "$(dirname "$0")/.."

top="$(mktemp -d "${TMPDIR:-/tmp}/try-slurm-XXXXXX")"
host="$(hostname -s)"
export SLURM_CONF="$top/slurm.conf" NODEVICE_SELECT=1 LP_NUM_THREADS=1
started=()

# Ends what was started here, the last one first.
stop() {
  scancel --name=idarts-study 2>/dev/null || true
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do kill "${started[i]}" 2>/dev/null || true; done
  wait 2>/dev/null || true
  if [ "${KEEP:-}" = "" ]; then rm -rf "$top"; else echo "kept: $top"; fi
}
trap stop EXIT

say() { echo "$(date +%T) $*"; }

# --- Slurm on this machine alone -------------------------------------------------------------------------------------
mkdir -p "$top"/{state,spool,munge,log}
chmod 755 "$top"
chmod 700 "$top/munge"
dd if=/dev/urandom of="$top/munge/key" bs=128 count=1 status=none
chmod 400 "$top/munge/key"
munged --foreground --force --key-file="$top/munge/key" --socket="$top/munge.socket" --pid-file="$top/munge/pid" \
  --log-file="$top/munge/log" --seed-file="$top/munge/seed" >"$top/log/munged" 2>&1 &
started+=($!)
cat >"$SLURM_CONF" <<CONF
ClusterName=try
SlurmctldHost=$host(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$top/munge.socket
CredType=cred/munge
SlurmctldPort=16817
SlurmdPort=16818
StateSaveLocation=$top/state
SlurmdSpoolDir=$top/spool
SlurmctldPidFile=$top/slurmctld.pid
SlurmdPidFile=$top/slurmd.pid
SlurmctldLogFile=$top/log/slurmctld
SlurmdLogFile=$top/log/slurmd
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
# Eight slots, whatever the machine has: the workers share its cores.
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=YES
CONF
for _ in $(seq 50); do [ -S "$top/munge.socket" ] && break || sleep 0.1; done
slurmctld -D -c >/dev/null 2>"$top/log/slurmctld.err" &
started+=($!)
printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$top/cgroup.conf"
slurmd -D -N "$host" >/dev/null 2>"$top/log/slurmd.err" &
started+=($!)
for _ in $(seq 60); do sinfo -h -o %t 2>/dev/null | grep -q idle && break || sleep 0.5; done
sinfo -h -o %t | grep -q idle || { cat "$top"/log/slurmd*; exit 1; }
say "Slurm: $(sinfo -h -o '%N %t, %c CPUs')"

# --- a small study on 200 digits of MNIST ----------------------------------------------------------------------------
deno run --quiet --no-prompt --allow-read=.cache/mnist --allow-write="$top" scripts/few_digits.ts "$top/digits"
cat >"$top/small.yaml" <<YAML
search:
  data: $top/digits
  space: s3
  node-norm: [rms, none]
  seed: [0, 1, 2]
  discretizer: [semipartial, alpha]
  cells: 3
  init-channels: 2
  batch-size: 8
  images: 160
  epochs: 3
  eval-images: 16
  probe-images: 16
  statistics-images: 16
  checkpoint-steps: 1
train:
  init-channels: 4
  cells: 3
  batch-size: 16
  epochs: 2
  val-images: 16
  auxiliary-weight: 0
  checkpoint-steps: 1
random: 2
YAML

study="$top/runs"
export IDARTS_STUDY_FLAGS="--heartbeat 1"
job="$(sbatch --parsable --array=0-3 --mem=0 --cpus-per-task=1 --no-requeue --output="$top/log/shard-%a" \
  deploy/slurm_array.sh "$top/small.yaml" "$study" "$top/digits")"
say "job array $job: 4 tasks"

# Kills task $1 with -9 as soon as a worker of its shard is at a run with a checkpoint.
kill_at_work() {
  local worker claim task number process
  while :; do
    for worker in "$study"/workers/*; do
      grep -q "\"shard\":\"$1/4\"" "$worker" 2>/dev/null || continue
      for claim in $(grep -l "$(basename "$worker")" "$study"/claims/* 2>/dev/null); do
        number="${claim##*.}" task="$(basename "${claim%.*}")"
        [ -e "$study/work/$task.$number/checkpoint.safetensors" ] || continue
        process="$(sed -E 's/.*"pid":([0-9]+).*/\1/' "$worker")"
        [ -n "$process" ] && kill -9 "$process" 2>/dev/null || continue
        say "killed task $1 (process $process, worker $(basename "$worker")) while it was at $task"
        return
      done
    done
    [ -e "$study/report.html" ] && { say "task $1 could not be killed at work: all is done"; return 1; }
    sleep 0.05
  done
}
kill_at_work 1
kill_at_work 3

while squeue -h -j "$job" 2>/dev/null | grep -q .; do sleep 1; done
say "the array has ended"
for shard in 0 1 2 3; do
  say "shard $shard: $(grep -c '] search-\|] train-' "$top/log/shard-$shard") runs begun; last line: $(tail -n 1 "$top/log/shard-$shard")"
done
deno run --quiet --no-prompt --allow-read="$study" cli.ts study status "$study" | tail -n 1

# --- nothing lost, nothing done twice, and the same as one process finds alone -----------------------------------------
runs="$(ls "$study/runs" | wc -l)"
over="$(ls "$study/claims" | grep -c '\.[1-9][0-9]*$' || true)"
left="$(ls "$study/work" | wc -l)"
say "$runs runs finished, $over claims taken over, $left left in work/"
[ "$left" -eq 0 ] && [ "$over" -ge 2 ]
begun="$(cat "$top"/log/shard-* | grep -c '] search-\|] train-')"
[ "$begun" -eq $((runs + over)) ]
say "begun $begun times: each run once, and the $over that were taken over once more"

say "now one process alone"
deno run --quiet --no-prompt --allow-read="$top" --allow-write="$top/alone" \
  cli.ts study run "$top/small.yaml" --out "$top/alone" >"$top/log/alone"
for file in results.json results.csv; do cmp "$study/$file" "$top/alone/$file"; done
[ "$(ls "$study/runs")" = "$(ls "$top/alone/runs")" ]
say "same runs, same results: passed"
