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

// master is where the master key is: in a file, or with custodians whose shares are given at each start.
type master struct {
	file   string
	shares []string // files
	db     string   // the address of the database
}

// masterOf is what the settings say of the master key.
func (s *Settings) masterOf() master {
	m := master{file: s.MasterKeyFile, shares: s.MasterShare, db: s.DB}
	if m.file == "" {
		m.file = filepath.Join(filepath.Dir(sqldb.File(s.DB)), "master.key")
	}
	return m
}

// errNoMaster says that the master key's file is not there.
var errNoMaster = errors.New("no master key")

// key reads the master key; errNoMaster where there is none.
func (m *master) key() (custody.Key, error) {
	if len(m.shares) > 0 {
		return m.combined()
	}
	text, err := custody.ReadFile(m.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return custody.Key{}, usageError{fmt.Errorf("主密钥文件 %s 不存在：请用 --master-key-file 指定；由保管人分持的，用 --master-share 逐份给出；新库用 depositd key new 生成 (%w)", m.file, errNoMaster)}
	case errors.Is(err, custody.ErrOpen):
		return custody.Key{}, usageError{fmt.Errorf("主密钥文件 %s 其他用户可读：请执行 chmod 600", m.file)}
	case err != nil:
		return custody.Key{}, usageError{fmt.Errorf("读不到主密钥文件：%w", err)}
	}
	k, err := custody.Parse(text)
	if err != nil {
		return k, usageError{fmt.Errorf("%s 不是主密钥文件，或内容有误", m.file)}
	}
	return k, nil
}

// combined gives the key that the custodians hold together.
func (m *master) combined() (custody.Key, error) {
	var all []custody.Share
	for _, file := range m.shares {
		text, err := custody.ReadFile(file)
		if errors.Is(err, custody.ErrOpen) {
			return custody.Key{}, usageError{fmt.Errorf("份额文件 %s 其他用户可读：请执行 chmod 600", file)}
		}
		if err != nil {
			return custody.Key{}, usageError{fmt.Errorf("读不到份额文件：%w", err)}
		}
		share, err := custody.ParseShare(text)
		if err != nil {
			return custody.Key{}, usageError{fmt.Errorf("%s 不是主密钥的份额，或内容有误", file)}
		}
		all = append(all, share)
	}
	k, err := custody.Combine(all...)
	switch {
	case errors.Is(err, custody.ErrFew):
		return k, usageError{fmt.Errorf("份额不足：已给出 %d 份，需要 %d 份", len(all), all[0].Needed)}
	case err != nil:
		return k, usageError{errors.New("各份额不属于同一次拆分，请核对编号")}
	}
	return k, nil
}

// mayMake says whether a master key may be made without being asked for: beside a database in a file, which tries the program
// out or is one machine's. A server's database is read by others than this machine.
func (m *master) mayMake() bool {
	return len(m.shares) == 0 && sqldb.File(m.db) != ""
}

// unlock unlocks the database, whose tables are there. The database of a file that has no keys yet gets a master key beside
// it, if its tables may be brought; what stood open in it is sealed then.
func (c *call) unlock(ctx context.Context, m *master, db *sqldb.DB, want schema) error {
	key, err := m.key()
	if errors.Is(err, errNoMaster) && want == brought && m.mayMake() {
		its, lookErr := db.Master(ctx)
		if lookErr != nil || its != "" {
			return errors.Join(err, lookErr)
		}
		key = custody.New()
		if err = custody.WriteFile(m.file, key.Text()); err == nil {
			fmt.Fprintf(c.stderr, "已生成主密钥 %s（编号 %s）：库中的户名、账号和报文均以它加密，丢失则无法读取。请立即另存一份，与数据库及其备份分开保管。\n", m.file, key.ID())
		}
	}
	if err != nil {
		return err
	}
	if err := db.Unlock(ctx, key); err != nil {
		return err
	}
	if want == brought {
		_, err := db.SealFormer(ctx, "migrate")
		return err
	}
	if waiting, err := db.Unsealed(ctx); err != nil || waiting == 0 {
		return err
	}
	return sqldb.ErrSchema
}
