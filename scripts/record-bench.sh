#!/bin/sh
# Measures this commit, and keeps what it gave on the branch bench-records of the remote: one line
# for each run in bench.jsonl, and all of them drawn in bench.svg. The branch has nothing else in
# it. Called each night; arguments go to the bench.
set -eu
branch=bench-records
folder=.millrace/bench-records
as="-c user.name=bench -c user.email=bench@localhost"
commit=$(git rev-parse --short=8 HEAD)

rm -rf "$folder"
git worktree prune
there=0
git ls-remote --quiet --exit-code origin "refs/heads/$branch" >/dev/null || there=$?
if [ "$there" -eq 0 ]; then
  git fetch --quiet origin "$branch"
  from=FETCH_HEAD
elif [ "$there" -ne 2 ]; then
  exit "$there" # 2 says that there is no such branch; git has said what else it is.
else
  # shellcheck disable=SC2086 # Two settings, and no space in either.
  from=$(git $as commit-tree "$(git hash-object -w -t tree /dev/null)" -m "Figures of each night")
fi
git worktree add --quiet --force -B "$branch" "$folder" "$from"
trap 'git worktree remove --force "$folder"' EXIT

# 1 says that a goal was missed: that is to be on record, too.
result=0
PATH="$PWD/node_modules/.bin:$PATH" node bench/main.ts "$@" --record "$folder/bench.jsonl" || result=$?
[ "$result" -le 1 ] || exit "$result"

git -C "$folder" add bench.jsonl bench.svg
# shellcheck disable=SC2086
git -C "$folder" $as commit --quiet -m "Bench of $commit"
git -C "$folder" push --quiet origin "$branch"
exit "$result"
