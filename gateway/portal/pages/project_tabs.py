"""The addresses of a project's tabs beside its repositories, and of their forms."""

from collections.abc import Mapping
from typing import Final

from gateway.portal.pages import labels, members, robots
from gateway.portal.portal import Page, Portal

_PAGES: Final[Mapping[str, type[Page]]] = {
    "/members": members.Members,
    "/members/names": members.Names,
    "/members/new": members.NewMember,
    "/members/{member:int(min=1)}/role": members.MemberRole,
    "/members/{member:int(min=1)}/remove": members.RemoveMember,
    "/robots": robots.Robots,
    "/robots/new": robots.NewRobot,
    "/robots/{robot:int(min=1)}/edit": robots.EditRobot,
    "/robots/{robot:int(min=1)}/secret": robots.RobotSecret,
    "/robots/{robot:int(min=1)}/disable": robots.DisableRobot,
    "/robots/{robot:int(min=1)}/enable": robots.EnableRobot,
    "/robots/{robot:int(min=1)}/delete": robots.DeleteRobot,
    "/labels": labels.Labels,
    "/labels/new": labels.NewLabel,
    "/labels/{label:int(min=1)}/edit": labels.EditLabel,
    "/labels/{label:int(min=1)}/delete": labels.DeleteLabel,
}
"""Behind the project's own address."""


def project_tabs(portal: Portal) -> dict[str, Page]:
    """Every page by its address."""
    return {"/projects/{project}" + path: page(portal) for path, page in _PAGES.items()}
