package backtest

import (
	"errors"
	"hash/fnv"
	"math"
	"slices"
	"time"

	"github.com/rightsize/rightsize/recommender"
)

// Half is which half of the containers is judged. A policy is chosen on one and quoted on the other.
type Half string

// The halves. A container's name tells which it is in.
const (
	All         Half = "all"
	Development Half = "development"
	HeldOut     Half = "held-out"
)

// ParseHalf reads a half by its name. Its error lists what there is.
func ParseHalf(s string) (Half, error) {
	if h := Half(s); slices.Contains([]Half{All, Development, HeldOut}, h) {
		return h, nil
	}
	return "", errors.New("want all, development or held-out")
}

// Has says whether the container of that name is in the half: the 32-bit FNV-1a hash of a name that is developed on
// is even.
func (h Half) Has(name string) bool {
	if h == All || h == "" {
		return true
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(name)) // never fails
	return (hash.Sum32()%2 == 0) == (h == Development)
}

const (
	// spikeFactor is how many times as high as both its neighbours a spike is at least, and how unlike one another
	// these may be at most.
	spikeFactor = 1.5

	// spikeGap is how far away a neighbour may be, in steps.
	spikeGap = 2
)

// WithoutSpikes is the container without the points at which its memory is a spike of one sample: more than 1.5 times
// both neighbours, which are themselves within 1.5 times of one another. Both resources lose the point. It is for traces
// of jobs in which a task was counted twice while it moved.
func (c Container) WithoutSpikes() Container {
	out := c
	out.Pods = nil
	for _, p := range c.Pods {
		spikes := spikesOf(p.Usage[recommender.Memory], c.Step)
		without := Pod{Name: p.Name}
		for r := range recommender.NumResources {
			without.Usage[r] = p.Usage[r].without(spikes)
		}
		out.Pods = append(out.Pods, without)
	}
	return out
}

func spikesOf(p Points, step time.Duration) map[int64]bool {
	spikes := make(map[int64]bool)
	near := spikeGap * int64(step/time.Second)
	for i := 1; i+1 < len(p.Values); i++ {
		low, high := p.Values[i-1], p.Values[i+1]
		if low > high {
			low, high = high, low
		}
		isNear := p.Times[i]-p.Times[i-1] <= near && p.Times[i+1]-p.Times[i] <= near
		if isNear && p.Values[i] > spikeFactor*high && high < spikeFactor*math.Max(low, 1) {
			spikes[p.Times[i]] = true
		}
	}
	return spikes
}

func (p Points) without(times map[int64]bool) Points {
	if len(times) == 0 {
		return p
	}
	var out Points
	for i, t := range p.Times {
		if !times[t] {
			out.Times, out.Values = append(out.Times, t), append(out.Values, p.Values[i])
		}
	}
	return out
}
