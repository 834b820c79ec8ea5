package browser

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/scan"
)

const mi = 1 << 20

func until() time.Time { return time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC) }

func week() recommender.Window {
	return recommender.Window{Until: until(), Length: 7 * 24 * time.Hour, Step: 5 * time.Minute, RateWindow: 5 * time.Minute}
}

// history is a week in which usage rises evenly from half to three halves of the given cores and bytes.
func history(cores, bytes float64) (h recommender.History) {
	for r, middle := range [recommender.NumResources]float64{recommender.CPU: cores, recommender.Memory: bytes} {
		u := &h.Usage[r]
		var samples []float64
		for k := range 201 {
			samples = append(samples, middle*(0.5+float64(k)/200))
		}
		u.Samples = recommender.Pool(samples)
		u.Covered, u.Pods, u.Running = 7*24*time.Hour, 3, 2
		u.Peak = recommender.Peak{Value: middle * 1.6, Pod: "web-5d9c7b6f8-bbbbb", At: until().Add(-30 * time.Hour), Within: time.Hour}
	}
	return h
}

// waves is a curve that goes up and down each day to a highest value, with a gap on the second day.
func waves(highest float64) scan.Curve {
	c := scan.Curve{Bin: 2 * time.Hour}
	for i := range 84 {
		high := highest * (0.7 - 0.3*math.Cos(2*math.Pi*float64(i)/12))
		if i >= 12 && i < 18 {
			high = math.NaN()
		}
		c.Highest, c.Mean = append(c.Highest, high), append(c.Mean, high*0.8)
	}
	return c
}

// item is a container that requests two cores and 1Gi, with limits of twice that, and uses what is given.
func item(id recommender.ID, cores, bytes float64) scan.Item {
	c := recommender.Container{ID: id, Replicas: 2, Spec: [recommender.NumResources]recommender.Bounds{
		{Request: recommender.Set(2), Limit: recommender.Set(4)}, {Request: recommender.Set(1024 * mi), Limit: recommender.Set(2048 * mi)},
	}}
	return scan.Item{
		Recommendation: recommender.Recommend(c, history(cores, bytes), recommender.DefaultPolicy()),
		Curves:         [recommender.NumResources]scan.Curve{waves(cores * 1.6), waves(bytes * 1.6)},
	}
}

// shop is a report of a few containers in two namespaces: the third is in danger, the fifth could not be read.
func shop() report.Report {
	id := func(namespace, kind, workload, container string) recommender.ID {
		return recommender.ID{Namespace: namespace, Kind: kind, Workload: workload, Container: container}
	}
	failed := item(id("shop", "StatefulSet", "store", "postgres"), 1, 100*mi)
	failed = scan.Item{Recommendation: recommender.Recommendation{Container: failed.Container}, Err: errors.New("reading memory of namespace shop: answered 503: query timed out")}
	return reportOf(
		item(id("pay", "Deployment", "cards", "app"), 0.1, 100*mi),
		item(id("shop", "DaemonSet", "agent", "agent"), 1.9, 900*mi),
		item(id("shop", "Deployment", "api", "api"), 0.5, 1800*mi),
		item(id("shop", "Deployment", "web", "app"), 0.05, 50*mi),
		failed,
		item(id("shop", "CronJob", "tidy", "tidy"), 0.3, 300*mi),
	)
}

func reportOf(items ...scan.Item) report.Report {
	return report.New(scan.Result{
		Items:   items,
		Queries: []string{`max by (namespace, pod, container) (container_memory_working_set_bytes{container!=""})`},
	}, report.Source{Kind: "prometheus", Address: "http://prometheus:9090", Read: "query_range"}, week(), recommender.DefaultPolicy())
}

// many is a report of n containers, no two of which used the same.
func many(n int) report.Report {
	items := make([]scan.Item, n)
	for i := range items {
		items[i] = item(recommender.ID{
			Namespace: fmt.Sprintf("team-%d", i%20), Kind: "Deployment", Workload: fmt.Sprintf("workload-of-some-length-%d", i), Container: "app",
		}, 0.1+float64(i%97)/50, float64(50+i%1900)*mi)
	}
	return reportOf(items...)
}
