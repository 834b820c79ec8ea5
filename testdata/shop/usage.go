package shop

import (
	"math"
	"time"
)

// moment is what a container's usage depends on.
type moment struct {
	at      int64   // milliseconds since 1970
	age     float64 // of the container's run, in seconds
	load    float64 // the workload's traffic: about 0.1 at night, 1 in the afternoon, up to 3 in a burst
	seed    uint64  // of the container's run
	replica int
}

func (m moment) noise() float64 { return noise(m.seed, uint64(m.at)) }

// usage is what a container wants at a moment: cores, and bytes of working set.
type usage struct {
	cpu, memory func(moment) float64
}

const (
	mib = 1 << 20
	gib = 1 << 30
)

// serving is the CPU of a server, in cores: idle ones, and those it takes at a load of 1. Starting costs it
// as much again for 40 seconds.
func serving(idle, busy float64) func(moment) float64 {
	return func(m moment) float64 {
		cores := idle*(1+0.2*m.noise()) + busy*m.load*(1+0.3*m.noise())
		if m.age < 40 {
			cores += idle + busy
		}
		return cores
	}
}

// working is the memory of a server, in bytes: it warms up to base over an hour, holds perLoad more at a load
// of 1, and collects its garbage every few minutes.
func working(base, perLoad float64) func(moment) float64 {
	return func(m moment) float64 {
		warm := base * (1 - 0.3*math.Exp(-m.age/1200))
		garbage := 0.05 * base * math.Mod(m.age/240+unit(m.seed, 0), 1)
		return warm + garbage + perLoad*m.load + 0.005*base*m.noise()
	}
}

// growing is memory that rises without end, in bytes and bytes an hour.
func growing(base, perHour float64) func(moment) float64 {
	return func(m moment) float64 {
		return base + perHour*m.age/3600 + 0.01*base*m.noise()
	}
}

// filling is memory that reaches to, in bytes, over a time and stays there.
func filling(from, to float64, over time.Duration) func(moment) float64 {
	return func(m moment) float64 {
		return from + (to-from)*min(1, m.age/over.Seconds()) + 0.01*from*m.noise()
	}
}

// level is one value, a tenth up or down.
func level(v float64) func(moment) float64 {
	return func(m moment) float64 { return v * (1 + 0.1*m.noise()) }
}

// withPeak adds extra to one replica's memory, in bytes, for a while.
func withPeak(of func(moment) float64, replica int, from int64, length time.Duration, extra float64) func(moment) float64 {
	return func(m moment) float64 {
		v := of(m)
		if m.replica == replica && m.at >= from && m.at < from+length.Milliseconds() {
			v += extra
		}
		return v
	}
}

// traffic is the load of a workload: least at 4 and most at 16 o'clock UTC, a third less at weekends, with
// bursts of its own.
func traffic(seed uint64, at int64) float64 {
	t := time.UnixMilli(at).UTC()
	hours := float64(at%(24*hour)) / hour
	curve := (1 - math.Cos(2*math.Pi*(hours-4)/24)) / 2
	load := 0.1 + 0.9*curve*curve
	if day := t.Weekday(); day == time.Saturday || day == time.Sunday {
		load *= 0.67
	}
	return load * burst(seed, at)
}

// burst is by how much a workload's traffic is multiplied: about once in a day and a half it is 1.6 to 2.8
// for 5 to 15 minutes.
func burst(seed uint64, at int64) float64 {
	n := uint64(at / (2 * hour))
	if unit(seed, n) > 0.06 {
		return 1
	}
	start := int64(unit(seed+1, n) * 100 * minute)
	length := 5*minute + int64(unit(seed+2, n)*10*minute)
	if since := at % (2 * hour); since < start || since >= start+length {
		return 1
	}
	return 1.6 + 1.2*unit(seed+3, n)
}
