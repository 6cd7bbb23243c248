"""Facts of a task for its rules, read from the task's rows."""

from humantasks.models import HumanTask
from humantasks.people import shown_name
from humantasks.rules import TaskFacts, Vote


def facts_of(task: HumanTask) -> TaskFacts:
    """Describe a task for the rules. To be called inside the tenant's scope."""
    return TaskFacts(
        status=task.status,
        task_type=task.task_type,
        is_for_all=task.is_for_all,
        assignee_id=task.assignee_id,
        candidate_groups=frozenset(task.candidate_groups),
        claimed_by=task.claimed_by_id,
        claimed_by_name=shown_name(task.claimed_by) if task.claimed_by is not None else "",
        claimed_at=task.claimed_at,
        four_eyes=task.four_eyes,
        started_by=task.started_by,
        needed=task.needed,
        voters=task.voters,
        choices=tuple(str(choice["value"]) for choice in task.choices),
        form=task.form,
        votes=tuple(Vote(one.actor, one.decision, one.choice) for one in task.decisions.all()),
    )
