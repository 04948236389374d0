#!/bin/bash
# {n_workers} workers carry out one comparison: each takes runs that no other has, and all see the same folder.
# Submit this by `sbatch FILE`. Submitted again, it goes on with what is missing; a worker that is killed leaves its run
# to the others.
#
# Adapt these lines to the cluster. All paths below must be the same on every node.
#SBATCH --job-name=pilot-{name}
#SBATCH --array=1-{n_workers}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=24:00:00
##SBATCH --partition=NAME
##SBATCH --gres=gpu:1

cd -- {folder} || exit
exec {command}
