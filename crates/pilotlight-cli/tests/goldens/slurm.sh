#!/bin/bash
# 3 workers carry out one comparison: each takes runs that no other has, and all see the same folder.
# Submit this by `sbatch FILE`. Submitted again, it goes on with what is missing; a worker that is killed leaves its run
# to the others.
#
# Adapt these lines to the cluster. All paths below must be the same on every node.
#SBATCH --job-name=pilot-experiment
#SBATCH --array=1-3
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=24:00:00
##SBATCH --partition=NAME
##SBATCH --gres=gpu:1

cd -- '/shared/it'\''s a "folder" of $HOME' || exit
exec env \
    'PILOT_TASK__TEMPLATE="{{ text }}\nIt isn'\''t $(HOME), $HOME or $$: "' \
    PILOT_TRAIN__EVAL_EVERY=1 \
    /opt/pilot \
    compare \
    '/shared/it'\''s a "folder" of $HOME/experiment.toml' \
    --only=soft-prompt \
    --set=train.steps=2 \
    '--set=tuner.init="random"' \
    --device=cpu \
    --retry \
    '--out=/shared/it'\''s a "folder" of $HOME/the runs'
