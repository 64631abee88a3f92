#!/usr/bin/env bash
# One-node Slurm on loopback with two pretended GPUs, for tests: `slurm-up.sh up` and `slurm-up.sh
# down`, as root, with Debian's packages slurm-wlm and munge. Any other cluster is left alone.
set -euo pipefail
# Where Debian keeps daemons; paths of users other than root often lack it.
export PATH=$PATH:/usr/sbin:/sbin

name=vaestudy-test
# One place whoever starts it, so that daemons which outlive a test keep their state.
dir=/var/lib/$name

refuse() {
  echo "$1 is of the Slurm cluster $2; the tests start and stop none but their own, $name" >&2
  exit 3
}

running=$(timeout 20 scontrol show config 2>/dev/null | awk '$1 == "ClusterName" {print $3}' || true)
[ -z "$running" ] || [ "$running" = $name ] || refuse "what runs here" "$running"
written=$(sed -n 's/^ClusterName=//p' /etc/slurm/slurm.conf 2>/dev/null || true)
[ -z "$written" ] || [ "$written" = $name ] || refuse /etc/slurm/slurm.conf "$written"

works() {
  timeout 20 sinfo --noheader 2>/dev/null | grep -q idle &&
    timeout 20 sbatch --quiet --wait --chdir / --output /dev/null --wrap true 2>/dev/null
}

down() {
  [ -n "$running" ] || return 0
  timeout 20 scontrol shutdown
  for _ in $(seq 100); do
    pidof slurmctld slurmd >/dev/null || return 0
    sleep 0.1
  done
  echo "the Slurm cluster $name runs on, 10 s after it was told to end" >&2
  exit 1
}

configure() {
  mkdir -p "$dir"/{state,log,spool,dev} /run/munge /etc/slurm
  chown munge:munge /run/munge
  touch "$dir"/dev/gpu{0,1}
  echo "NodeName=localhost Name=gpu File=$dir/dev/gpu[0-1]" >/etc/slurm/gres.conf
  # slurm.conf has to lie here: steps inside jobs do not see SLURM_CONF.
  cat >/etc/slurm/slurm.conf <<CONF
ClusterName=$name
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
# Plain processes: a container has no cgroups of its own to give away.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
# Cores and memory are shared out, whatever the machine really has.
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
KillWait=5
# Ended jobs stay visible to squeue, which is all that tells snakemake how they ended.
MinJobAge=300
GresTypes=gpu
NodeName=localhost NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=8000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES DefaultTime=10 MaxTime=60 State=UP
PartitionName=gpu Nodes=ALL DefaultTime=10 MaxTime=60 State=UP
CONF
}

up() {
  configure
  # None keeps the caller's output open: who reads it to its end would wait for ever.
  pidof munged >/dev/null || runuser -u munge -- munged --force >/dev/null 2>&1
  slurmctld >/dev/null 2>&1
  slurmd -N localhost >/dev/null 2>&1
  for _ in $(seq 50); do
    if timeout 20 sinfo --noheader 2>/dev/null | grep -q idle; then
      break
    fi
    sleep 0.2
  done
}

case ${1:?up or down} in
  up)
    works && exit 0
    down
    up
    works && exit 0
    echo "Slurm did not come up, or runs no job; $dir/log says why" >&2
    exit 1
    ;;
  down) down ;;
  *)
    echo "got $1; expected up or down" >&2
    exit 2
    ;;
esac
