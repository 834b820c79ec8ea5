package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rightsize/rightsize/patch"
	"github.com/rightsize/rightsize/recommender"
	"github.com/rightsize/rightsize/report"
	"github.com/rightsize/rightsize/workload"
)

const patchLong = `patch writes what the report recommends as changes for Git, to one of:

  --output-dir DIR   a kustomize component: a patch for each workload, and a kustomization
                     that names them; list DIR in the components of an overlay
  --into OVERLAY     patches in the overlay itself, at the end of its own; its workloads
                     are what it builds, as if -f OVERLAY were given
  --in-place         the manifests given with -f, where they declare the values
  --values FILE      a Helm values file, where --map says

With -f OVERLAY, patches name objects as the overlay knows them before its own namePrefix,
namespace and the like, and a build in memory proves what they do before they are written.
Files appear all or none. Nothing but what changes by --min-change or more is changed, and
what an earlier run wrote stays in force until it is changed again.`

const patchExample = `  rightsize patch -n shop --output-dir components/rightsize
  rightsize patch -f overlays/prod -n shop --output-dir components/rightsize
  rightsize patch --into overlays/prod --rollback-dir /tmp/rollback
  rightsize patch -f manifests/ --in-place
  rightsize patch -n shop --values values.yaml --map deployment/api:api=.api.resources`

// patchOptions are the flags of patch.
type patchOptions struct {
	outputDir, into, values, rollbackDir string
	inPlace, verify                      bool
	mappings                             []patch.Mapping
	as                                   patch.Type
}

func newPatch(std streams) *cobra.Command {
	o := options{log: std.log}
	p := patchOptions{as: patch.Strategic}
	cmd := &cobra.Command{
		Use:     "patch [KIND/NAME ...] --output-dir DIR | --into OVERLAY | --in-place -f FILE | --values FILE --map ...",
		Short:   "Write the recommendations as kustomize patches, or into manifests and Helm values",
		Long:    patchLong,
		Example: patchExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.run(cmd.Context(), &o, std, args)
		},
	}
	o.setDefaults()
	groups := []flagGroup{p.flags(), o.view.patchFlags(), o.whereFlags(), o.usageFlags(), o.ruleFlags(), o.timeFlags(), o.log.flags(), o.kubeFlags()}
	for _, g := range groups {
		cmd.Flags().AddFlagSet(g.FlagSet)
	}
	setUsage(cmd, groups)
	return cmd
}

func (p *patchOptions) flags() flagGroup {
	to := newFlagGroup("What to write")
	to.StringVar(&p.outputDir, "output-dir", "", "write a kustomize component into `DIR`")
	to.StringVar(&p.into, "into", "", "add or update our patches in `OVERLAY`, a folder with a kustomization")
	to.BoolVar(&p.inPlace, "in-place", false, "change the manifests given with -f")
	to.StringVar(&p.values, "values", "", "change a Helm values `FILE`, with --map")
	to.Var(value(&p.mappings, "MAPPING", p.addMapping, nil), "map", "with --values: where it has a container's resources, as `KIND/NAME:CONTAINER=PATH`; may be repeated")
	to.Var(value(&p.as, "TYPE", patch.ParseType, func(t patch.Type) string { return string(t) }), "patch-type", "strategic or json6902; Rollouts and the like always get json6902")
	to.BoolVar(&p.verify, "verify", false, "first have the API server try each patch, and a pod of it, as a dry run; write nothing if it refuses one")
	to.StringVar(&p.rollbackDir, "rollback-dir", "", "with --output-dir or --into: also write a component that takes the patches back into `DIR`")
	return to
}

// addMapping takes the mapping behind those of earlier flags.
func (p *patchOptions) addMapping(s string) ([]patch.Mapping, error) {
	m, err := patch.ParseMapping(s)
	return append(p.mappings, m), err
}

// validate wants one thing to write, and what goes with it.
func (p *patchOptions) validate(o *options) error {
	given := 0
	for _, yes := range []bool{p.outputDir != "", p.into != "", p.inPlace, p.values != ""} {
		if yes {
			given++
		}
	}
	switch {
	case given != 1:
		return usagef("what is to be written? Give one of --output-dir DIR, --into OVERLAY, --in-place and --values FILE")
	case p.into != "" && len(o.files) > 0:
		return usagef("--into reads the workloads from its overlay: leave out -f")
	case p.inPlace && len(o.files) == 0:
		return usagef("--in-place goes with -f: which manifests are to be changed?")
	case o.fromMetrics:
		return usagef("patch does not go with --from-metrics, which does not tell what is declared where: read workloads from a cluster or with -f")
	case (p.values != "") != (len(p.mappings) > 0):
		return usagef("--values and --map go together: --values values.yaml --map deployment/api:api=.api.resources")
	case p.rollbackDir != "" && (p.inPlace || p.values != ""):
		return usagef("--rollback-dir goes with --output-dir and --into: what Git has brings back the rest")
	case o.hpa == recommender.HPARetarget && (p.inPlace || p.values != ""):
		return usagef("--hpa retarget goes with --output-dir and --into, which can change autoscalers too")
	case p.into != "" && workload.KustomizationFile(p.into) == "":
		return usagef("invalid --into %q: want a folder with a kustomization", p.into)
	}
	return nil
}

func (p *patchOptions) run(ctx context.Context, o *options, std streams, args []string) error {
	if err := p.validate(o); err != nil {
		return err
	}
	if p.into != "" {
		o.files = []string{p.into}
	}
	if _, err := overlayOf(o.files); err != nil && p.outputDir != "" {
		return err
	}
	r, selection, err := o.report(ctx, std, args)
	if err != nil {
		return err
	}
	whole := r
	if p.values == "" { // a values file knows the workloads that the report does
		r, selection = atTemplates(r, selection)
	}
	changes, notes := patch.Plan(r, selection.Workloads, r.Least)
	changes, retargets, more := patch.PlanRetargets(r, selection.Workloads, changes)
	notes = append(notes, more...)
	result, err := p.result(ctx, o, r, selection, changes, retargets)
	if err != nil {
		return err
	}
	for _, text := range slices.Concat(withoutAdvice(r), notes, result.Notes, result.Refused) {
		std.log.warn(text)
	}
	if err := p.tryOut(ctx, o, std, patch.Job{Changes: changes, Retargets: retargets}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := patch.Commit(result.Files); err != nil {
		return err
	}
	if err := listFiles(std, result.Files); err != nil {
		return err
	}
	if len(result.Refused) > 0 {
		return partialError{fmt.Errorf("%s could not be patched", recommender.Count(len(result.Refused), "workload"))}
	}
	return incomplete(std, whole)
}

// atTemplates is the report and the selection as they are patched: by the objects that have the templates.
func atTemplates(r report.Report, selection *workload.Selection) (report.Report, *workload.Selection) {
	at := *selection
	r, at.Workloads = patch.AtTemplates(r, selection.Workloads)
	return r, &at
}

// tryOut has the API server look at the job's patches, with --verify.
func (p *patchOptions) tryOut(ctx context.Context, o *options, std streams, job patch.Job) error {
	if !p.verify {
		return nil
	}
	_, client, err := o.clusterClients()
	if err != nil {
		return err
	}
	refused, notes, err := job.Verify(ctx, client)
	for _, text := range slices.Concat(notes, refused) {
		std.log.warn(text)
	}
	if err == nil && len(refused) > 0 {
		err = fmt.Errorf("the API server refuses what %s would become: nothing is written", recommender.Count(len(refused), "object"))
	}
	return err
}

// result is the files to write. Nothing has been written yet.
func (p *patchOptions) result(ctx context.Context, o *options, r report.Report, selection *workload.Selection, changes []patch.Change, retargets []recommender.Retarget) (patch.Result, error) {
	switch {
	case p.inPlace:
		files, err := patch.InPlaceFiles(ctx, o.files, o.recursive)
		if err != nil {
			return patch.Result{}, err
		}
		changed, notes, err := patch.InPlace(files, changes, o.manifestNamespace())
		return patch.Result{Files: changed, Notes: notes}, err
	case p.values != "":
		return p.helm(selection, changes)
	}
	job, err := o.job(r, selection, changes, p.as)
	if err != nil {
		return patch.Result{}, err
	}
	job.Retargets = retargets
	var result patch.Result
	if p.into != "" {
		result, err = job.Into()
	} else {
		result, err = job.Component(p.outputDir)
	}
	if err != nil || p.rollbackDir == "" {
		return result, err
	}
	back, err := job.Rollback(result, p.rollbackDir)
	if err != nil {
		return patch.Result{}, err
	}
	if result.Files == nil {
		result.Files = map[string][]byte{}
	}
	maps.Copy(result.Files, back)
	return result, nil
}

func (p *patchOptions) helm(selection *workload.Selection, changes []patch.Change) (patch.Result, error) {
	text, err := os.ReadFile(p.values)
	if err != nil {
		return patch.Result{}, fmt.Errorf("reading the values: %w", err)
	}
	var known []recommender.ID
	for _, c := range selection.Containers {
		known = append(known, c.ID)
	}
	changed, notes, err := patch.Values(p.values, text, p.mappings, changes, known)
	result := patch.Result{Notes: notes}
	if err == nil && !bytes.Equal(changed, text) {
		result.Files = map[string][]byte{p.values: changed}
	}
	return result, err
}

// job is what patches are made from. Workloads that a kustomization builds are patched as it knows them.
func (o *options) job(r report.Report, selection *workload.Selection, changes []patch.Change, as patch.Type) (patch.Job, error) {
	overlay, err := overlayOf(o.files)
	return patch.Job{
		Changes: changes, Basis: patch.BasisOf(r), Type: as,
		Overlay: overlay, Namespace: o.manifestNamespace(), Declared: selection.Workloads,
	}, err
}

// overlayOf is the kustomization among the files; empty where there is none.
func overlayOf(files []string) (string, error) {
	i := slices.IndexFunc(files, func(f string) bool { return workload.KustomizationFile(f) != "" })
	if i < 0 {
		return "", nil
	}
	if len(files) > 1 {
		return "", usagef("patches are for one kustomization: give -f %s alone", filepath.Clean(files[i]))
	}
	return files[i], nil
}

// manifestNamespace is where objects of manifests are that do not name a namespace.
func (o *options) manifestNamespace() string {
	namespace, _, err := o.namespace()
	if err != nil {
		return "default" // which fromManifests has said
	}
	return namespace
}

// writeKustomize writes strategic merge patches: -o kustomize.
func (o *options) writeKustomize(std streams, r report.Report, selection *workload.Selection) error {
	shown := r
	shown.View.Significant = false // Plan knows better what to leave: it keeps limits at or above requests
	shown.Items = shown.Shown()
	whole := r
	shown, _ = atTemplates(shown, selection)
	r, selection = atTemplates(r, selection) // for the comments
	changes, notes := patch.Plan(shown, selection.Workloads, r.Least)
	job, err := o.job(r, selection, changes, patch.Strategic)
	if err != nil {
		return err
	}
	refused, err := job.Write(std.out)
	if err != nil {
		return err
	}
	for _, text := range slices.Concat(notes, refused) {
		std.log.warn(text)
	}
	if len(refused) > 0 {
		return partialError{fmt.Errorf("%s could not be patched", recommender.Count(len(refused), "workload"))}
	}
	return incomplete(std, whole)
}

// withoutAdvice says how many containers are left alone for want of data, and why. Errors are said by incomplete.
func withoutAdvice(r report.Report) []string {
	counts := map[report.Status]int{}
	resources := r.View.Resources()
	for _, item := range r.Items {
		status := report.StatusOf(item, resources[0])
		other := func(r recommender.Resource) bool { return report.StatusOf(item, r) != status }
		if status != report.OK && status != report.Failed && !slices.ContainsFunc(resources, other) {
			counts[status]++
		}
	}
	var lines []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%s of %d left as declared: %s, which the report explains", recommender.Count(counts[status], "container"), len(r.Items), status))
	}
	return lines
}

// listFiles says which files were written and which removed.
func listFiles(std streams, files map[string][]byte) error {
	var text strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		verb := "written"
		if files[path] == nil {
			verb = "removed"
		}
		fmt.Fprintf(&text, "%s %s\n", verb, path)
	}
	if len(files) == 0 {
		std.log.warn("nothing to change")
	}
	if _, err := std.out.Write([]byte(text.String())); err != nil {
		return fmt.Errorf("listing the files: %w", err)
	}
	return nil
}
