#!/usr/bin/env bash
# One-node Slurm on loopback, for tests: `slurm-up.sh DIRECTORY` as root, with Debian's packages
# slurm-wlm and munge. Starts what is not running; leaves an existing cluster alone.
set -euo pipefail
# Where Debian keeps daemons; paths of users other than root often lack it.
export PATH=$PATH:/usr/sbin:/sbin

dir=${1:?a directory for state and logs}
if sinfo --noheader >/dev/null 2>&1; then
  exit 0
fi

mkdir -p "$dir"/{state,log,spool} /run/munge /etc/slurm
chown munge:munge /run/munge

# slurm.conf has to lie here: steps inside jobs do not see SLURM_CONF.
cat >/etc/slurm/slurm.conf <<EOF
ClusterName=vaestudy-test
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
NodeName=localhost NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=8000 State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES DefaultTime=10 MaxTime=60 State=UP
EOF

pidof munged >/dev/null || runuser -u munge -- munged --force
pidof slurmctld >/dev/null || slurmctld
pidof slurmd >/dev/null || slurmd -N localhost

for _ in $(seq 50); do
  if sinfo --noheader | grep -q idle; then
    exit 0
  fi
  sleep 0.2
done
echo "Slurm did not come up; $dir/log says why" >&2
exit 1
