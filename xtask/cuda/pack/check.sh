#!/usr/bin/env bash
# Checks and measures the devices of this machine with the programs beside this file, and prints one table.
#
#     ./check.sh [FOLDER]
#
# Results go to FOLDER, by default ./results: table.md, JSON files, and a log of every part. A part that fails does not
# stop the others; the exit code is 1 if one did, and 0 otherwise.
#
# PYTHON               a Python with torch and peft to compare with; by default python3
# CUDA_PATH            a CUDA toolkit; by default the first complete one that is found
# PILOT_CHECK_SECONDS  time for everything, 570; what finds none left is skipped
set -u -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit
results=${1:-$here/results}
budget=${PILOT_CHECK_SECONDS:-570}
python=${PYTHON:-python3}
mkdir -p "$results" && results=$(cd "$results" && pwd) && cd "$here" || exit

rows=()
failed=0

say() { printf '%s\n' "$*" >&2; }

# row CHECK DEVICE RESULT [RATIO]
row() {
    rows+=("| $1 | $2 | ${3//|/ } | ${4:--} |")
    say "   $3"
}

fail() {
    failed=1
    row "$1" "$2" "FAILED: $3"
}

# The line of a log that tells most: where a program panicked, what it panicked with, else its last word.
reason() {
    local line
    line=$(grep -A1 -m1 'panicked at' "$1" | tail -n 1)
    [[ -n $line ]] || line=$(grep -E -m1 '^(error|Error|[A-Za-z.]+Error):?' "$1")
    [[ -n $line ]] || line=$(grep -v '^[[:space:]]*$' "$1" | tail -n 1)
    printf '%.200s' "$line"
}

# Whether a device is a processor that stands in for a GPU, and needs minutes for what a GPU does in a second.
is_software() {
    [[ -e $results/devices.json ]] || return
    tr '{' '\n' <"$results/devices.json" | grep -E "\"device\": *\"$1\"" | grep -qiE 'llvmpipe|lavapipe|swiftshader'
}

# part CHECK DEVICE SECONDS LOG COMMAND...: runs a command for at most so long. If it succeeds, the caller adds the row.
# What it prints goes to the log; where `into` names a file, results go there.
part() {
    local check=$1 device=$2 most=$3 log=$results/$4.log left=$((budget - SECONDS)) status
    shift 4
    if ((left < 5)); then
        row "$check" "$device" 'skipped: no time is left'
        return 1
    fi
    ((most < left)) || most=$left
    say "== $check, $device (at most $most s)"
    started=$SECONDS
    if [[ -n ${into:-} ]]; then
        timeout --kill-after=5 "$most" "$@" >"$into" 2>"$log" </dev/null
    else
        timeout --kill-after=5 "$most" "$@" >"$log" 2>&1 </dev/null
    fi
    status=$?
    case $status in
        0) return 0 ;;
        124 | 137)
            if is_software "$device"; then
                row "$check" "$device" "skipped: no end within $most s on a processor that stands in for a GPU"
            else
                fail "$check" "$device" "no end within $most s"
            fi
            ;;
        *) fail "$check" "$device" "exit code $status: $(reason "$log")" ;;
    esac
    return 1
}

# Folders of NVIDIA's packages for Python, such as .../site-packages/nvidia.
nvidia_packages() {
    "$python" -c 'import importlib.util
found = importlib.util.find_spec("nvidia")
print(*(found.submodule_search_locations if found else []), sep="\n")' 2>/dev/null
}

# Whether the headers at hand are all that kernels include: those for tensor cores and asynchronous copies are packages
# of their own for Python, which PyTorch does not bring.
is_complete() {
    [[ -e $1/include/crt/mma.h ]] && [[ -e $1/include/cuda/barrier || -e $1/include/cccl/cuda/barrier ]]
}

# Sets CUDA_PATH and LD_LIBRARY_PATH so that kernels can be made, and says what it found.
find_cuda() {
    local homes=() folder home headers='' library=''
    [[ -z ${CUDA_PATH:-} ]] || homes+=("$CUDA_PATH")
    homes+=(/usr/local/cuda /usr/local/cuda-* /opt/cuda)
    if command -v nvcc >/dev/null; then
        homes+=("$(dirname "$(dirname "$(readlink -f "$(command -v nvcc)")")")")
    fi
    while IFS= read -r folder; do
        homes+=("$folder/cu13" "$folder/cuda_runtime" "$folder/cuda_nvrtc")
    done < <(nvidia_packages)

    for home in "${homes[@]}"; do
        [[ -e $home/include/cuda_fp16.h ]] || continue
        [[ -n $headers ]] || headers=$home
        if is_complete "$home"; then
            headers=$home
            break
        fi
    done
    # NVRTC of the same toolkit first, as it must know the headers.
    for home in ${headers:+"$headers"} "${homes[@]}"; do
        for folder in "$home"/lib64 "$home"/lib "$home"/targets/x86_64-linux/lib "$home"/lib/x86_64-linux-gnu; do
            if compgen -G "$folder/libnvrtc.so*" >/dev/null; then
                library=$folder
                break 2
            fi
        done
    done
    if [[ -z $headers || -z $library ]]; then
        row 'CUDA toolkit' - 'not found: pip install nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cuda-crt nvidia-cuda-cccl'
        return
    fi
    export CUDA_PATH=$headers LD_LIBRARY_PATH=$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    if is_complete "$headers"; then
        row 'CUDA toolkit' - "$headers"
    else
        row 'CUDA toolkit' - "$headers, without tensor cores: pip install nvidia-cuda-crt nvidia-cuda-cccl"
    fi
}

# Containers with NVIDIA's driver often have its Vulkan part where no loader looks.
find_vulkan() {
    local driver=/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json
    if [[ -z ${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-} && -e $driver ]] &&
        ! compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null &&
        ! compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null; then
        export VK_DRIVER_FILES=$driver
    fi
}

# Fills `devices` with those that work, in the order in which they matter if time runs out.
list_devices() {
    part 'devices' - 60 devices ./pilot devices || return
    grep -v '^[[:space:]]*$' "$results/devices.log" >&2
    into=$results/devices.json part 'devices' - 60 devices-json ./pilot devices --json || return
    local name backend
    devices=()
    for backend in cuda cpu wgpu; do
        while IFS= read -r name; do
            devices+=("$name")
        done < <(grep -oE '"device": *"[^"]+"' "$results/devices.json" | cut -d'"' -f4 | grep -E "^$backend(:|\$)")
    done
    row 'devices' - "${devices[*]}"
    for backend in cuda wgpu; do
        [[ " ${devices[*]}" == *" $backend"* ]] || row 'devices' "$backend" 'skipped: none works here'
    done
}

# The numbers of every method beside those of the CPU.
suite() {
    local device=$1 dtype=$2 log=suite-${1/:/-}-$2
    PILOT_TEST_DEVICES=$device CARGO_MANIFEST_DIR=$here/tests \
        part "equal numbers, $dtype" "$device" "$3" "$log" ./devices "numbers_in_$dtype" --nocapture || return
    local said
    said=$(grep -oE '[0-9]+ methods and models.*|does not compute in .*' "$results/$log.log" | tail -n 1)
    case $said in
        does*) row "equal numbers, $dtype" "$device" "skipped: it $said" ;;
        *) row "equal numbers, $dtype" "$device" "ok, $((SECONDS - started)) s: $said" ;;
    esac
}

# The benchmarks of developers: a row for each.
criterion() {
    local device=$1 program log
    for program in benches/*; do
        [[ -x $program ]] || continue
        log=criterion-${program#benches/}-${device/:/-}
        PILOT_BENCH_DEVICES=$device CRITERION_HOME=$results/criterion \
            part "criterion, ${program#benches/}" "$device" "$2" "$log" \
            "$program" --bench --noplot --sample-size 10 --warm-up-time 1 --measurement-time 2 || continue
        # `name`, on the same line or a later one `time: [low middle high]`, each number with its unit.
        while IFS=$'\t' read -r name time; do
            row "criterion, $name" "$device" "$time"
        done < <(awk '
            /time: +\[/ {
                if ($1 != "time:") name = $1
                sub(/.*\[/, ""); sub(/\].*/, "")
                print name "\t" $3 " " $4
            }
            /^[^ ]+$/ { name = $1 }' "$results/$log.log")
    done
}

# A training step as users take it, beside that of PyTorch with PEFT: a row for each model and method.
training_steps() {
    local device=$1 folder=$results/bench-${1/:/-}
    local sizes=(--model 'tiny,smollm2-135m' --methods 'prompt-tuning,lora,full-fine-tuning')
    if [[ $device == cpu ]]; then
        sizes=(--model tiny)
    elif is_software "$device"; then
        sizes=(--methods prompt-tuning --batch 2 --tokens 16 --steps 3 --warm-up 1)
    fi
    rm -rf "$folder"
    # Where one of them failed, the others are in the results.
    part 'training step' "$device" 120 "bench-${device/:/-}" \
        ./pilot bench --device "$device" "${sizes[@]}" --out "$folder" || [[ -e $folder/bench.csv ]] || return
    local -A ratios=()
    [[ $device == wgpu* ]] || pytorch "$device" "$folder"
    local model method p10 p50 p90 tokens failure
    while IFS=$'\t' read -r model method p10 p50 p90 tokens failure; do
        if [[ -n $failure ]]; then
            fail "training step, $model, $method" "$device" "$failure"
        else
            row "training step, $model, $method" "$device" "$p50 ms ($p10 to $p90), $tokens tokens/s" "${ratios[$model $method]:-}"
        fi
    done < <(awk -F, '
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        {
            printf "%s\t%s\t", $column["model"], $column["method"]
            if ($column["p50_seconds"] == "") { print "-\t-\t-\t-\t" $column["failure"]; next }
            printf "%.2f\t%.2f\t%.2f\t", 1e3 * $column["p10_seconds"], 1e3 * $column["p50_seconds"], 1e3 * $column["p90_seconds"]
            printf "%.0f\t\n", $column["tokens_per_second"]
        }' "$folder/bench.csv")
}

# Fills `ratios` of the caller: time of a step in parts of that of PyTorch with PEFT.
pytorch() {
    local device=$1 folder=$2 log=pytorch-${1/:/-}
    if ! "$python" -c 'import importlib.util as util, sys
sys.exit(any(util.find_spec(name) is None for name in ("torch", "transformers", "peft")))' 2>/dev/null; then
        row 'PyTorch + PEFT' "$device" "skipped: $python has no torch, transformers or peft"
        return
    fi
    part 'PyTorch + PEFT' "$device" 120 "$log" \
        "$python" pytorch.py --like "$folder/bench.json" --out "$folder/pytorch.json" || [[ -e $folder/pytorch.json ]] || return
    into=$folder/compare.json part 'PyTorch + PEFT' "$device" 30 "compare-${device/:/-}" \
        ./pilot bench --compare "$folder/pytorch.json" "$folder/bench.json" --json || return
    local key ratio
    while IFS=$'\t' read -r key ratio; do
        ratios[$key]=$ratio
    done < <("$python" -c 'import json, sys
for row in json.load(open(sys.argv[1]))["rows"]:
    settings, time = row["settings"], row["step_time"]
    print(settings["model"] + " " + settings["method"], "%.2f [%.2f, %.2f]" % (time["value"], time["low"], time["high"]), sep="\t")' \
        "$folder/compare.json")
    row 'PyTorch + PEFT' "$device" "ok, ${#ratios[@]} methods and models compared"
}

# Prints the rows with columns of equal width.
aligned() {
    awk -F ' *[|] *' '
        { for (i = 2; i < NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } columns = NF }
        END {
            for (line = 1; line <= NR; line++) {
                printf "|"
                for (i = 2; i < columns; i++) printf " %-" width[i] "s |", cell[line, i]
                print ""
            }
        }'
}

print_table() {
    {
        printf '# Pilotlight on this machine\n\n'
        if command -v nvidia-smi >/dev/null; then
            timeout 20 nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -n 1 | tr '\n' ';'
        fi
        printf '%s threads, %s, %s\n\n' "$(nproc)" \
            "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" "$(date -u '+%Y-%m-%d')"
        printf '%s\n' '| check | device | result | ratio to PyTorch + PEFT |' '|---|---|---|---|' "${rows[@]}" | aligned
        printf '\nRatios are times of a step: below 1, Pilotlight takes less. In brackets, 95%% intervals over the steps.\n'
    } >"$results/table.md"
    printf '\n'
    cat "$results/table.md"
}

find_cuda
find_vulkan
# There is one always, and who cannot list it may be able to use it.
devices=(cpu)
list_devices
for device in "${devices[@]}"; do
    [[ $device == cpu ]] || suite "$device" f32 200
    training_steps "$device"
    criterion "$device" 60
    for dtype in bf16 f16; do
        [[ $device == cpu ]] || suite "$device" "$dtype" 90
    done
done
print_table
exit "$failed"
