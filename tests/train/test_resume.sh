#!/bin/sh
# tests/train/test_resume.sh BUILD - a training that was stopped goes on as if nothing had happened.
train=$1/tools/train
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
echo 1..3
[ -x "$train" ] || { for i in 1 2 3; do echo "ok $i # SKIP $train is not built"; done; exit 0; }
mkdir "$dir/corpus"
for n in 01 02 03 04 05 09 10; do
    i=0
    while [ $i -lt 100 ]; do
        case $n in
        10) printf 'User: what is %d?\nBot: It is %d.\n<|doc|>\n' $i $i ;;
        09) printf 'A: is it %d?\nB: Yes, %d of them.\n<|doc|>\n' $i $i ;;
        *) printf 'There was a dog. The dog saw %d birds and ran home to tell his friend.\nThe end of %d.\n<|doc|>\n' $i $i ;;
        esac
        i=$((i + 1))
    done >"$dir/corpus/$n-x.txt"
done
run() { # OUT options...
    out=$dir/$1
    shift
    "$train" --corpus "$dir/corpus" --out "$out" --vocab 320 --dim 64 --layers 2 --heads 2 --kv-heads 1 --ffn 64 --ctx 64 \
        --rows 2 --steps 4 --again 2 --warmup 2 --optimizer muon "$@" >"$dir/log" 2>&1 || { echo "# $(tail -n 1 "$dir/log")"; return 1; }
    "$train" --out "$out" --export "$out/m.gguf" --type f32 2>&1
}
result() { if eval "$2"; then echo "ok $1 - $3"; else echo "not ok $1 - $3"; fi; }
run whole --threads 1
run halves --threads 1 --max-steps 3
run halves --threads 1
run threads --threads 3
result 1 'cmp -s "$dir/whole/m.gguf" "$dir/halves/m.gguf"' 'a_stopped_training_goes_on_to_the_same_weights'
result 2 'cmp -s "$dir/whole/m.gguf" "$dir/threads/m.gguf"' 'the_number_of_threads_does_not_change_the_weights'
result 3 '"$train" --out "$dir/whole" --sample "what is 3?" --tokens 5 >/dev/null && ! "$train" --out "$dir/nothing" --eval --corpus "$dir/corpus" 2>"$dir/log" && grep -q "checkpoint: not there\|cannot write" "$dir/log"' 'a_checkpoint_can_be_asked_and_a_missing_one_is_named'
