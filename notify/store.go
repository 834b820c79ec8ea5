package notify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
)

// Store keeps the state between two messages. Its name is for errors.
type Store interface {
	fmt.Stringer
	// Load gives what was saved last, nil where nothing was.
	Load(context.Context) ([]byte, error)
	Save(context.Context, []byte) error
}

// ReadOnly is a Store that keeps nothing.
type ReadOnly struct{ Store }

// Save implements Store.
func (ReadOnly) Save(context.Context, []byte) error { return nil }

// StateFile is a Store in a file of that name. Its folder has to be there.
type StateFile string

var _ Store = StateFile("")

// String implements Store.
func (f StateFile) String() string { return string(f) }

// Load implements Store. Before anything is posted it finds a folder that is not there, and what must not be
// replaced by a file: a folder, a device, a pipe.
func (f StateFile) Load(context.Context) ([]byte, error) {
	path, err := f.target()
	if err != nil {
		return nil, fmt.Errorf("reading the state in %s: %w", f, err)
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the state: %w", err)
	case len(text) == 0:
		return nil, nil // as mktemp makes it
	}
	return text, nil
}

// target is the file itself, where the name is that of a link. It need not be there, but nothing else may be.
func (f StateFile) target() (string, error) {
	folder := filepath.Dir(f.String())
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return "", fmt.Errorf("there is no folder %s", folder)
	}
	if _, err := os.Lstat(f.String()); errors.Is(err, fs.ErrNotExist) {
		return f.String(), nil
	}
	path, err := filepath.EvalSymlinks(f.String())
	if err != nil {
		return "", fmt.Errorf("following the link: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", errors.New("it is no regular file: give --state the name of one, or of one to make")
	}
	return path, nil
}

// Save implements Store. The file is the old one or the new one, also when the machine stops in between.
func (f StateFile) Save(_ context.Context, text []byte) error {
	if err := f.replace(text); err != nil {
		return fmt.Errorf("writing the state in %s: %w", f, err)
	}
	return nil
}

func (f StateFile) replace(text []byte) error {
	path, err := f.target()
	if err != nil {
		return err
	}
	beside, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(beside.Name()) }() // gone already where all went well
	_, err = beside.Write(text)
	err = errors.Join(err, beside.Sync(), beside.Close())
	if err != nil {
		return err
	}
	return os.Rename(beside.Name(), path)
}

// configMaps is what a StateConfigMap needs of a client, limited to one namespace.
type configMaps interface {
	Get(ctx context.Context, name string, o metav1.GetOptions) (*v1.ConfigMap, error)
	Update(ctx context.Context, configMap *v1.ConfigMap, o metav1.UpdateOptions) (*v1.ConfigMap, error)
}

// StateConfigMap is a Store in a ConfigMap, which has to be there: a Role can grant access to one by its name,
// but not the right to make it.
type StateConfigMap struct {
	Client          configMaps
	Namespace, Name string
}

var _ Store = StateConfigMap{}

// stateKey is the key of the ConfigMap's binaryData.
const stateKey = "state.json.gz"

// String implements Store.
func (s StateConfigMap) String() string {
	return "configmap/" + s.Name + " of namespace " + s.Namespace
}

// Load implements Store.
func (s StateConfigMap) Load(ctx context.Context) ([]byte, error) {
	found, err := s.Client.Get(ctx, s.Name, metav1.GetOptions{})
	if err != nil {
		return nil, s.explain("reading", "get", err)
	}
	return found.BinaryData[stateKey], nil
}

// Save implements Store. It tries again within about two seconds, unless the API server says that it will not
// do: whoever else changes the ConfigMap meanwhile, or a server that starts anew, is no reason to forget what
// was posted.
func (s StateConfigMap) Save(ctx context.Context, text []byte) error {
	few := wait.Backoff{Steps: 5, Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.1}
	hopeful := func(err error) bool {
		return ctx.Err() == nil && !apierrors.IsForbidden(err) && !apierrors.IsUnauthorized(err) && !apierrors.IsNotFound(err) &&
			!apierrors.IsInvalid(err) && !apierrors.IsRequestEntityTooLargeError(err)
	}
	return s.explain("writing", "update", retry.OnError(few, hopeful, func() error { return s.update(ctx, text) }))
}

func (s StateConfigMap) update(ctx context.Context, text []byte) error {
	found, err := s.Client.Get(ctx, s.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if found.BinaryData == nil {
		found.BinaryData = map[string][]byte{}
	}
	found.BinaryData[stateKey] = text
	_, err = s.Client.Update(ctx, found, metav1.UpdateOptions{})
	return err
}

// explain says what to do about an error.
func (s StateConfigMap) explain(doing, verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%s the state: there is no %s: make it with kubectl create configmap %s -n %s", doing, s, s.Name, s.Namespace)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%s the state: not allowed to %s configmaps named %s in namespace %s: grant get,update on that name", doing, verb, s.Name, s.Namespace)
	default:
		return fmt.Errorf("%s the state in %s: %w", doing, s, err)
	}
}
