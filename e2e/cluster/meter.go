package cluster

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// BuildPrometheus builds Prometheus alone, where the cache does not have it: it is then all that can be started.
func (c *Cluster) BuildPrometheus() error {
	set := clusterTools()[0]
	var only []program
	for _, p := range set.programs {
		if p.name == "prometheus" {
			only = append(only, p)
		}
	}
	set.programs = only
	paths, err := c.tools.build(set)
	c.bin = paths
	return err
}

// CPU is the processor time that the process has used so far, its children's left out, to 10 ms.
func (p *Process) CPU() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may hold anything; utime and stime are the 12th and 13th fields after it (proc_pid_stat(5)).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const user, system = 11, 12
	if len(fields) <= system {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields after the name", p.cmd.Process.Pid, len(fields))
	}
	var ticks [2]int64
	if _, err := fmt.Sscan(string(fields[user])+" "+string(fields[system]), &ticks[0], &ticks[1]); err != nil {
		return 0, err
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs on Linux
	return time.Duration(ticks[0]+ticks[1]) * tick, nil
}

// PeakMemory is the most resident memory that the process has had, in bytes; 0 where there is no telling.
func (p *Process) PeakMemory() int64 { return residentPeak(p.cmd.Process.Pid) }
