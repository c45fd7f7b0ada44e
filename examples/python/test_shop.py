"""A cluster in a Python test: the official client (Debian: python3-kubernetes) against `tutti test-env`.

    TUTTI='npx tutti' python3 -m unittest test_shop.py
"""

import json
import os
import shlex
import subprocess
import unittest

from kubernetes import client, config


class Tutti:
    """One `tutti test-env`; ends with this process at the latest."""

    def __init__(self, *options):
        program = shlex.split(os.environ.get("TUTTI", "npx tutti"))
        self.process = subprocess.Popen(
            [*program, "test-env", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.ready = self._read()
        config.load_kube_config(self.ready["kubeconfig"])

    def __call__(self, command, **arguments):
        self.process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self.process.stdin.flush()
        answer = self._read()
        if answer["event"] != "done":
            raise RuntimeError(answer["message"])
        return answer

    def stop(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def _read(self):
        return json.loads(self.process.stdout.readline())


def deployment(replicas):
    labels = {"app": "web"}
    container = client.V1Container(name="web", image="shop/web:1")
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=labels), spec=client.V1PodSpec(containers=[container])
    )
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web"),
        spec=client.V1DeploymentSpec(
            replicas=replicas, selector=client.V1LabelSelector(match_labels=labels), template=template
        ),
    )


class ShopTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tutti = Tutti("--nodes", "3", "--seed", "python", "--frozen")
        cls.addClassCleanup(cls.tutti.stop)

    def setUp(self):
        self.tutti("reset")
        self.apps = client.AppsV1Api()
        self.core = client.CoreV1Api()

    def test_a_deployment_comes_up(self):
        self.apps.create_namespaced_deployment("default", deployment(3))
        self.tutti("until", object="deployment/web", field="status.availableReplicas=3")
        pods = self.core.list_namespaced_pod("default", label_selector="app=web").items
        self.assertEqual(["Running"] * 3, [pod.status.phase for pod in pods])

    def test_it_survives_the_loss_of_a_node(self):
        self.apps.create_namespaced_deployment("default", deployment(3))
        self.tutti("until", object="deployment/web", field="status.availableReplicas=3")
        self.tutti("crash", node="node-1")
        self.tutti("advance", by="6m")
        self.tutti("until", object="deployment/web", field="status.availableReplicas=3")
        ready = {
            node.metadata.name: next(c.status for c in node.status.conditions if c.type == "Ready")
            for node in self.core.list_node().items
        }
        self.assertEqual({"node-1": "Unknown", "node-2": "True", "node-3": "True"}, ready)

    def test_each_test_begins_anew(self):
        self.assertEqual([], self.apps.list_namespaced_deployment("default").items)
        self.assertRaises(RuntimeError, self.tutti, "crash", node="moon")


if __name__ == "__main__":
    unittest.main()
