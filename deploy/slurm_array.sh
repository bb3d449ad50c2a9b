#!/bin/bash
# A study as a Slurm job array: every task is a worker, and they share the study's folder.
#
#   sbatch --array=0-7 deploy/slurm_array.sh norms.yaml runs/norms /data/fashion-mnist
#
# Needs a folder that all nodes see (NFS, Lustre, ...), Deno in the PATH, and this repository as the working folder.
# Give the array as many tasks as you like, requeue them, cancel some: what a dead task leaves is taken over by others.
#SBATCH --job-name=idarts-study
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
# For GPUs: #SBATCH --gres=gpu:1
set -euo pipefail

study="$1" folder="$2" data="$3"
deno="${DENO:-deno}"
mkdir -p "$folder"

# Only this: read the study, its folder, the data and its own modules (to decode images in threads); write the folder; know
# which task of the array it is and the machine's name (to see at once that another task of this machine has died); set
# how many threads Mesa's software driver has.
exec "$deno" run --no-prompt \
  --allow-read="$study,$folder,$data,src" \
  --allow-write="$folder" \
  --allow-env=SLURM_ARRAY_TASK_ID,SLURM_ARRAY_TASK_COUNT,LP_NUM_THREADS \
  --allow-sys=hostname \
  cli.ts study run "$study" --out "$folder" ${IDARTS_STUDY_FLAGS:-}
