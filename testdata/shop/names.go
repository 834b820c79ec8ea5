package shop

import (
	"fmt"
	"hash/fnv"
	"strconv"
)

// hash is a seed for the things of one name.
func hash(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p)) // never fails, says hash.Hash
		h.Write([]byte{0})
	}
	return mix(h.Sum64())
}

// mix spreads every bit of x over the result: the finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit is the n-th of a seed's numbers, uniform in [0, 1).
func unit(seed, n uint64) float64 { return float64(mix(seed^mix(n))>>11) / (1 << 53) }

// noise is the n-th of a seed's numbers in (-1, 1), most of them near 0.
func noise(seed, n uint64) float64 { return unit(seed, n) + unit(^seed, n) - 1 }

// generatedAlphabet is what Kubernetes makes names of: no vowels, nor 0, 1 and 3 that look like them
// (k8s.io/apimachinery/pkg/util/rand).
const generatedAlphabet = "bcdfghjklmnpqrstvwxz2456789"

// podSuffix is what ends the name of a pod of a ReplicaSet, a DaemonSet or a Job: five characters.
func podSuffix(seed uint64) string {
	b := make([]byte, 5)
	for i := range b {
		b[i] = generatedAlphabet[mix(seed+uint64(i))%uint64(len(generatedAlphabet))]
	}
	return string(b)
}

// templateHash is what ends a ReplicaSet's name: the decimal digits of a 32-bit hash, each replaced by the
// character of the alphabet at its ASCII code, so that only 4 to 9, b, c, d and f occur.
func templateHash(seed uint64) string {
	b := []byte(strconv.FormatUint(uint64(uint32(seed)|1<<31), 10))
	for i, digit := range b {
		b[i] = generatedAlphabet[int(digit)%len(generatedAlphabet)]
	}
	return string(b)
}

// containerID is what runtimes name a container: 64 hexadecimal digits.
func containerID(seed uint64) string {
	return fmt.Sprintf("%016x%016x%016x%016x", mix(seed), mix(seed+1), mix(seed+2), mix(seed+3))
}

// newUID is a UUID of version 4.
func newUID(seed uint64) string {
	a, b := mix(seed), mix(seed+1)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}
