package main

import (
	"context"
	"fmt"
	"strings"

	"depositd/platform/people"
)

type userCmd struct {
	First   userFirstCmd   `cmd:"" help:"设立首任系统管理员与安全管理员，打印各自的一次性口令（一小时内有效）"`
	Add     userAddCmd     `cmd:"" help:"增加用户并为其申请角色，打印一次性口令（一天内有效）；角色须由安全管理员批准"`
	Role    userRoleCmd    `cmd:"" help:"为用户申请新的角色与科室（代替现有的）；须由安全管理员批准"`
	Disable userDisableCmd `cmd:"" help:"停用用户，其登录立即失效"`
	Enable  userEnableCmd  `cmd:"" help:"启用用户"`
	Reset   userResetCmd   `cmd:"" help:"清除密码与动态口令，打印新的一次性口令；角色须重新批准"`
	List    userListCmd    `cmd:"" help:"列出用户"`
}

type userFirstCmd struct {
	System        string `arg:"" help:"系统管理员的姓名"`
	SystemStaff   string `arg:"" help:"系统管理员的工号"`
	Security      string `arg:"" help:"安全管理员的姓名"`
	SecurityStaff string `arg:"" help:"安全管理员的工号"`
}

// Run makes the first two administrators. They are two persons, since one makes accounts and the other grants roles.
func (u *userFirstCmd) Run(ctx context.Context, c *call) error {
	return c.usePeople(ctx, func(desk *people.Desk) error {
		invitations, err := desk.First(ctx, c.author(), people.Order{Name: u.System, Staff: u.SystemStaff}, people.Order{Name: u.Security, Staff: u.SecurityStaff})
		if err != nil {
			return err
		}
		for i, one := range []struct {
			role people.Role
			name string
		}{{people.SystemAdmin, u.System}, {people.SecurityAdmin, u.Security}} {
			if invitations[i] == "" {
				fmt.Fprintf(c.stdout, "%s：已有人\n", one.role.Chinese())
				continue
			}
			fmt.Fprintf(c.stdout, "%s %s 的一次性口令：%s\n", one.role.Chinese(), one.name, invitations[i])
		}
		fmt.Fprintln(c.stdout, "请分别交给本人，一小时内用它设置密码（POST /v1/session/invitation），随后启用动态口令。")
		return nil
	})
}

type userAddCmd struct {
	Name       string   `arg:"" help:"姓名，将出现在审计记录中；同名的人请加数字区分"`
	Staff      string   `required:"" help:"工号；一人只能有一个账户"`
	Department string   `help:"科室"`
	Role       []string `help:"角色，可重复：${person_roles}"`
}

// Run makes an account that asks for its roles.
func (u *userAddCmd) Run(ctx context.Context, c *call) error {
	return c.usePeople(ctx, func(desk *people.Desk) error {
		user, invitation, err := desk.Add(ctx, c.author(), people.Order{Name: u.Name, Staff: u.Staff, Department: u.Department, Roles: rolesOf(u.Role)})
		if err != nil {
			return err
		}
		printInvited(c, user, invitation)
		return nil
	})
}

func rolesOf(words []string) []people.Role { return people.Split(strings.Join(words, ",")) }

func printInvited(c *call, u people.User, invitation string) {
	fmt.Fprintf(c.stdout, "%s 的一次性口令：%s\n请交给本人，一天内用它设置密码。申请的角色（%s）待安全管理员批准。\n", u.Name, invitation, rolesText(u.AskedRoles))
}

func rolesText(roles []people.Role) string {
	if len(roles) == 0 {
		return "无"
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = r.Chinese()
	}
	return strings.Join(names, "、")
}

type userRoleCmd struct {
	Name       string   `arg:"" help:"姓名"`
	Roles      []string `arg:"" optional:"" help:"角色：${person_roles}；不写则为全部收回"`
	Department string   `help:"科室"`
}

// Run asks for other roles.
func (u *userRoleCmd) Run(ctx context.Context, c *call) error {
	return c.onUser(ctx, u.Name, func(desk *people.Desk, user people.User) error {
		user, err := desk.Ask(ctx, c.author(), user.ID, user.Version, people.Order{Department: u.Department, Roles: rolesOf(u.Roles)})
		if err == nil {
			fmt.Fprintf(c.stdout, "已为 %s 申请：%s；待安全管理员批准\n", user.Name, rolesText(user.AskedRoles))
		}
		return err
	})
}

// onUser does something to the account of a name.
func (c *call) onUser(ctx context.Context, name string, f func(*people.Desk, people.User) error) error {
	return c.usePeople(ctx, func(desk *people.Desk) error {
		user, err := desk.UserNamed(ctx, name)
		if err != nil {
			return err
		}
		return f(desk, user)
	})
}

type userDisableCmd struct {
	Name string `arg:"" help:"姓名"`
}

// Run disables an account.
func (u *userDisableCmd) Run(ctx context.Context, c *call) error {
	return c.moveUser(ctx, u.Name, "disable")
}

type userEnableCmd struct {
	Name string `arg:"" help:"姓名"`
}

// Run enables an account.
func (u *userEnableCmd) Run(ctx context.Context, c *call) error {
	return c.moveUser(ctx, u.Name, "enable")
}

func (c *call) moveUser(ctx context.Context, name, act string) error {
	return c.onUser(ctx, name, func(desk *people.Desk, user people.User) error {
		user, err := desk.Move(ctx, c.author(), user.ID, user.Version, act)
		if err == nil {
			fmt.Fprintf(c.stdout, "%s：%s\n", user.Name, people.StateName[user.State])
		}
		return err
	})
}

type userResetCmd struct {
	Name string `arg:"" help:"姓名"`
}

// Run strikes out password and second factor.
func (u *userResetCmd) Run(ctx context.Context, c *call) error {
	return c.onUser(ctx, u.Name, func(desk *people.Desk, user people.User) error {
		user, invitation, err := desk.Reset(ctx, c.author(), user.ID, user.Version)
		if err == nil {
			printInvited(c, user, invitation)
		}
		return err
	})
}

type userListCmd struct{}

// Run lists the accounts.
func (*userListCmd) Run(ctx context.Context, c *call) error {
	return c.usePeople(ctx, func(desk *people.Desk) error {
		all, err := desk.Users(ctx)
		if err != nil {
			return err
		}
		var t table
		t.add("姓名", "工号", "科室", "角色", "待批准", "密码", "动态口令", "状态")
		for _, u := range all {
			asked := ""
			if u.AskedBy != "" {
				asked = rolesText(u.AskedRoles)
			}
			t.add(u.Name, u.Staff, u.Department, rolesText(u.Roles), asked, setText(u.HasPassword()), setText(u.HasFactor()), people.StateName[u.State])
		}
		return t.print(c)
	})
}

func setText(set bool) string {
	if set {
		return "已设"
	}
	return "未设"
}
