package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/rightsize/rightsize/recommender"
)

func TestAmount(t *testing.T) {
	for s, want := range map[string]float64{
		"100m":                0.1,
		"350m":                0.35,
		"0.7":                 0.7,
		"1":                   1,
		"1001m":               1.001,
		"100u":                0.001, // the API server keeps thousandths, and rounds up
		"0":                   0,
		"128Mi":               128 << 20,
		"1.5Gi":               1.5 * (1 << 30),
		"2e3":                 2000,
		"1k":                  1000,
		"100Ei":               9223372036854775807, // the most that a quantity holds
		"8Pi":                 8 << 50,
		"9007199254740993":    9007199254740992, // 2^53 + 1 has no float64 of its own
		"123456789012345678m": 123456789012345.678,
	} {
		if got := amount(resource.MustParse(s)); got != want {
			t.Errorf("amount(%s) = %v, want %v", s, got, want)
		}
	}
}

// TestAmountKeepsQuantity: quantities are shared with the objects that they came from.
func TestAmountKeepsQuantity(t *testing.T) {
	q := resource.MustParse("100u")
	if amount(q); q.String() != "100u" {
		t.Errorf("the quantity became %s", q.String())
	}
}

// TestEveryThousandth: thousandths of cores are the float64 that Go's own literals are.
func TestEveryThousandth(t *testing.T) {
	for m := range int64(4000) {
		if got, want := amount(*resource.NewMilliQuantity(m, resource.DecimalSI)), float64(m)/1000; got != want {
			t.Fatalf("amount(%dm) = %v, want %v", m, got, want)
		}
	}
}

func TestBoundsStayAsDeclared(t *testing.T) {
	b := bounds(corev1.ResourceRequirements{
		Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
		Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("0")},
	})
	want := [recommender.NumResources]recommender.Bounds{
		recommender.CPU:    {Request: recommender.Unset(), Limit: recommender.Set(1)},
		recommender.Memory: {Request: recommender.Set(0), Limit: recommender.Unset()},
	}
	if b != want {
		t.Errorf("bounds %v, want %v", b, want)
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"shp", "shop", 1},
		{"api", "apii", 1},
		{"kitten", "sitting", 3},
		{"ab", "ba", 2},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := distance(tt.b, tt.a); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
