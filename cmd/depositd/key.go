package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"depositd/migrations/custody"
	"depositd/migrations/sqldb"
)

type keyCmd struct {
	New     keyNewCmd     `cmd:"" help:"生成主密钥文件"`
	Show    keyShowCmd    `cmd:"" default:"withargs" help:"显示主密钥的编号，并检查是否与数据库相符"`
	Split   keySplitCmd   `cmd:"" help:"把主密钥拆成若干份，由保管人分持"`
	Combine keyCombineCmd `cmd:"" help:"由若干份额（--master-share）恢复主密钥文件"`
	Rotate  keyRotateCmd  `cmd:"" help:"更换主密钥；已存的数据不需改写；请先停止各服务"`
}

type keyNewCmd struct{}

// Run makes the file of a master key.
func (*keyNewCmd) Run(c *call) error {
	m := c.settings.masterOf()
	key := custody.New()
	if err := writeKey(m.file, key.Text()); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "已生成主密钥 %s（编号 %s）。请另存一份，与数据库及其备份分开保管；丢失则数据无法读取。\n", m.file, key.ID())
	return nil
}

// writeKey writes a new file of a key or a share.
func writeKey(file, text string) error {
	err := custody.WriteFile(file, text)
	if errors.Is(err, fs.ErrExist) {
		return badKey("key_file_exists", file, " 已存在，不覆盖：请换一个位置")
	}
	return err
}

type keyShowCmd struct{}

// Run prints the key's ID and whether it is the database's.
func (*keyShowCmd) Run(ctx context.Context, c *call) error {
	m := c.settings.masterOf()
	key, err := m.key()
	if err != nil {
		return err
	}
	return c.useDatabase(ctx, func(*sqldb.DB) error {
		fmt.Fprintf(c.stdout, "主密钥编号 %s，与数据库相符\n", key.ID())
		return nil
	})
}

type keySplitCmd struct {
	Shares int    `default:"3" placeholder:"N" help:"份数"`
	Needed int    `default:"2" placeholder:"N" help:"恢复所需的份数"`
	Out    string `required:"" placeholder:"DIR" help:"存放份额的文件夹"`
}

// Run writes a file for each custodian.
func (s *keySplitCmd) Run(c *call) error {
	m := c.settings.masterOf()
	key, err := m.key()
	if err != nil {
		return err
	}
	shares, err := custody.Split(key, s.Shares, s.Needed)
	if err != nil {
		return badKey("shares_out_of_range", "份数应为 2 至 255，所需份数不少于 2 且不多于份数")
	}
	for i := range shares {
		file := filepath.Join(s.Out, fmt.Sprintf("master-%s-%d.share", key.ID(), shares[i].Number))
		if err := writeKey(file, shares[i].Text()); err != nil {
			return err
		}
		fmt.Fprintln(c.stdout, file)
	}
	fmt.Fprintf(c.stdout, "请分别交给 %d 位保管人，任意 %d 份可恢复；核对 depositd key show --master-share …… 无误后，删除主密钥文件 %s 和这里的各份。\n", s.Shares, s.Needed, m.file)
	return nil
}

type keyCombineCmd struct {
	Out string `required:"" placeholder:"FILE" help:"恢复后的主密钥文件"`
}

// Run writes the key of the shares that --master-share names.
func (k *keyCombineCmd) Run(c *call) error {
	m := c.settings.masterOf()
	if len(m.shares) == 0 {
		return badKey("master_share_missing", "请用 --master-share 逐份给出份额文件")
	}
	key, err := m.combined()
	if err != nil {
		return err
	}
	if err := writeKey(k.Out, key.Text()); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "已恢复主密钥 %s（编号 %s）\n", k.Out, key.ID())
	return nil
}

type keyRotateCmd struct {
	To string `required:"" placeholder:"FILE" help:"新的主密钥文件；不存在则生成"`
}

// Run wraps the database's keys with another master key. The file is written first: whatever breaks off, one of the two files
// opens the database.
func (k *keyRotateCmd) Run(ctx context.Context, c *call) error {
	next := master{file: k.To}
	key, err := next.key()
	if lacksMaster(err) {
		key = custody.New()
		err = writeKey(k.To, key.Text())
	}
	if err != nil {
		return err
	}
	return c.useDatabase(ctx, func(db *sqldb.DB) error {
		if err := db.Rewrap(ctx, c.author(), key); err != nil {
			return err
		}
		fmt.Fprintf(c.stdout, "主密钥已更换为 %s（编号 %s）：请把 --master-key-file 改为它，再启动各服务，妥存后销毁旧密钥。旧的备份仍须用旧密钥读取。\n", k.To, key.ID())
		return nil
	})
}
