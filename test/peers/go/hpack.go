// HPACK as grpc-go has it, for a comparison without a connection: a conversation per line of JSON, in and out.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"

	"golang.org/x/net/http2/hpack"
)

// A conversation is either blocks to read or steps to write.
type conversation struct {
	TableBytes uint32   `json:"tableBytes"`
	Blocks     []string `json:"blocks"`
	Steps      []step   `json:"steps"`
}

// The fields of one block, and the table's size that the reader allows from here on.
type step struct {
	TableBytes *uint32 `json:"tableBytes"`
	Fields     []field `json:"fields"`
}

// Text is hexadecimal: a field may have bytes that are no UTF-8.
type field struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Sensitive bool   `json:"sensitive"`
}

type result struct {
	Lists  [][]field `json:"lists"`
	Error  string    `json:"error"`
	Blocks []string  `json:"blocks"`
}

func compareHpack(in io.Reader, out io.Writer) error {
	decoder, buffered := json.NewDecoder(in), bufio.NewWriter(out)
	encoder := json.NewEncoder(buffered)
	for {
		var talk conversation
		if err := decoder.Decode(&talk); err == io.EOF {
			return buffered.Flush()
		} else if err != nil {
			return err
		}
		got, err := readBlocks(talk)
		if talk.Steps != nil {
			got, err = writeBlocks(talk.Steps)
		}
		if err != nil {
			return err
		}
		if err := encoder.Encode(got); err != nil {
			return err
		}
	}
}

// Reads block by block, up to the first that is wrong.
func readBlocks(talk conversation) (got result, err error) {
	// What a connection begins with; the reader's own setting is only what it may become.
	decoder := hpack.NewDecoder(4096, nil)
	decoder.SetAllowedMaxDynamicTableSize(talk.TableBytes)
	for _, text := range talk.Blocks {
		block, err := hex.DecodeString(text)
		if err != nil {
			return got, err
		}
		fields, err := decoder.DecodeFull(block)
		if err != nil {
			got.Error = err.Error()
			break
		}
		list := []field{}
		for _, f := range fields {
			list = append(list, field{hex.EncodeToString([]byte(f.Name)), hex.EncodeToString([]byte(f.Value)), f.Sensitive})
		}
		got.Lists = append(got.Lists, list)
	}
	return got, nil
}

func writeBlocks(steps []step) (got result, err error) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSizeLimit(1 << 20)
	for _, step := range steps {
		if step.TableBytes != nil {
			encoder.SetMaxDynamicTableSize(*step.TableBytes)
		}
		for _, f := range step.Fields {
			name, err := hex.DecodeString(f.Name)
			if err != nil {
				return got, err
			}
			value, err := hex.DecodeString(f.Value)
			if err != nil {
				return got, err
			}
			if err := encoder.WriteField(hpack.HeaderField{Name: string(name), Value: string(value), Sensitive: f.Sensitive}); err != nil {
				return got, err
			}
		}
		got.Blocks = append(got.Blocks, hex.EncodeToString(block.Bytes()))
		block.Reset()
	}
	return got, nil
}
