// The judge of our checkpoints, tiles and proofs that nobody here wrote: golang.org/x/mod/sumdb, tlog and note, and
// Go's crypto/ed25519. Reads a question a line as JSON from standard input, and answers each with a line: empty where it
// holds, else what is wrong. See go_judge.py.
package main

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Do                   string
	Dir, File            string // of a log as it is served; File and Bit say what to spoil
	Bit                  int
	Key                  string
	Checkpoint, Earlier  []byte
	Index                int64
	Leaf                 []byte
	Hashes               [][]byte
	Public, Message, Sig []byte
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var q question
		if err = json.Unmarshal(line, &q); err == nil {
			err = judge(q)
		}
		if err != nil {
			fmt.Fprintln(out, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprintln(out)
		}
		out.Flush()
	}
}

func judge(q question) error {
	switch q.Do {
	case "log":
		return judgeLog(q)
	case "inclusion":
		tree, err := opened(q.Checkpoint, q.Key)
		if err != nil {
			return err
		}
		return tlog.CheckRecord(hashes(q.Hashes), tree.N, tree.Hash, q.Index, tlog.RecordHash(q.Leaf))
	case "consistency":
		later, err := opened(q.Checkpoint, q.Key)
		if err != nil {
			return err
		}
		earlier, err := opened(q.Earlier, q.Key)
		if err != nil {
			return err
		}
		return tlog.CheckTree(hashes(q.Hashes), later.N, later.Hash, earlier.N, earlier.Hash)
	case "ed25519":
		if len(q.Public) != ed25519.PublicKeySize || !ed25519.Verify(q.Public, q.Message, q.Sig) {
			return errors.New("bad signature")
		}
		return nil
	}
	return errors.New("no such question: " + q.Do)
}

func hashes(told [][]byte) []tlog.Hash {
	found := make([]tlog.Hash, len(told))
	for i, one := range told {
		copy(found[i][:], one)
	}
	return found
}

// opened is the tree of a checkpoint that the key has signed.
func opened(checkpoint []byte, key string) (tlog.Tree, error) {
	var tree tlog.Tree
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tree, err
	}
	signed, err := note.Open(checkpoint, note.VerifierList(verifier))
	if err != nil {
		return tree, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tree, errors.New("not a checkpoint of this log")
	}
	if tree.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return tree, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tree, errors.New("no root")
	}
	copy(tree.Hash[:], root)
	return tree, nil
}

// served is a log as it is served: what is at each path.
type served map[string][]byte

var logs = map[string]served{}

func logAt(dir string) (served, error) {
	if known, ok := logs[dir]; ok {
		return known, nil
	}
	found := served{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[filepath.ToSlash(name)] = content
		return err
	})
	logs[dir] = found
	return found, err
}

func (log served) Height() int                     { return 8 }
func (log served) SaveTiles([]tlog.Tile, [][]byte) {}
func (log served) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		content, ok := log["tile/"+strings.TrimPrefix(tile.Path(), "tile/8/")]
		if !ok {
			return nil, errors.New("there is no " + tile.Path())
		}
		found[i] = content
	}
	return found, nil
}

// judgeLog reads every leaf by way of the tiles, which are checked against the checkpoint, and every entry.
func judgeLog(q question) error {
	log, err := logAt(q.Dir)
	if err != nil {
		return err
	}
	if q.File != "" {
		whole, ok := log[q.File]
		if !ok {
			return errors.New("nothing to spoil")
		}
		spoilt := append([]byte(nil), whole...)
		spoilt[q.Bit/8] ^= 1 << (q.Bit % 8)
		log[q.File] = spoilt
		defer func() { log[q.File] = whole }()
	}
	tree, err := opened(log["checkpoint"], q.Key)
	if err != nil {
		return err
	}
	reader := tlog.TileHashReader(tree, log)
	indexes := make([]int64, tree.N)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	leaves, err := reader.ReadHashes(indexes)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil || root != tree.Hash {
		return errors.New("another root")
	}
	for first := int64(0); first < tree.N; first += 256 {
		width := tree.N - first
		if width > 256 {
			width = 256
		}
		tile := tlog.Tile{H: 8, L: -1, N: first / 256, W: int(width)}
		name := "tile/entries/" + strings.TrimPrefix(tile.Path(), "tile/8/data/")
		bundle, ok := log[name]
		if !ok {
			return errors.New("there is no " + name)
		}
		for i := first; i < first+width; i++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return errors.New(name + " is cut short")
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:end]) != leaves[i] {
				return fmt.Errorf("entry %d is not what was hashed", i)
			}
			bundle = bundle[end:]
		}
		if len(bundle) > 0 {
			return errors.New(name + " has more than its entries")
		}
	}
	return nil
}
